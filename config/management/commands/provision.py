"""Makes the database's roles and grants."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config import env
from config.embedded.errors import StackError
from config.provisioning import provision

_ROLE_URLS = ("APP_DATABASE_URL", "LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL")


class Command(BaseCommand):
    """`manage.py provision`: what `up` does before it migrates, for a database of your own."""

    help = "Create or update the database's roles and grants as the owner (DATABASE_URL)."
    requires_system_checks = ()

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Make them; passwords go to private files, never to the terminal."""
        values = env.gathered()
        home = env.load().lakehouse.home
        if "DATABASE_URL" not in values:
            sys.exit("DATABASE_URL is not set: give the URL of the database's owner.")
        try:
            provision(values["DATABASE_URL"], home=home, given={n: values[n] for n in _ROLE_URLS if n in values})
        except StackError as error:
            sys.exit(str(error))
        print(f"Roles and grants are in place; passwords that were generated are in {home / 'private'}.")
