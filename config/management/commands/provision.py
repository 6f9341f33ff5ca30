"""Makes the database's roles, grants and publication."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config import env
from config.embedded.errors import StackError
from config.provisioning import provision, publish

_ROLE_URLS = ("APP_DATABASE_URL", "LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL")


class Command(BaseCommand):
    """`manage.py provision`: what `up` does before it migrates, for a database of your own."""

    help = "Create or update the database's roles, grants and publication as the owner (DATABASE_URL)."
    requires_system_checks = ()

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Make them; passwords go to private files, never to the terminal."""
        values = env.gathered()
        home = env.load().lakehouse.home
        if "DATABASE_URL" not in values:
            sys.exit("DATABASE_URL is not set: give the URL of the database's owner.")
        try:
            owner_url = values["DATABASE_URL"]
            urls = provision(owner_url, home=home, given={n: values[n] for n in _ROLE_URLS if n in values})
            published = publish(
                owner_url, source_url=urls["LAKEHOUSE_SOURCE_URL"], tables=env.load().lakehouse.source_tables
            )
        except StackError as error:
            sys.exit(str(error))
        print(f"Roles and grants are in place; passwords that were generated are in {home / 'private'}.")
        if published:
            print(f"The changes of {published} tables are published.")
        else:
            print("No table is published: provision again once the database is migrated.")
