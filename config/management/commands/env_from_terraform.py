"""Turns what Terraform made into the settings of the aws backend."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config.env import SettingsError
from config.private_files import write_private
from config.terraform_outputs import OutputsError, env_values, merged


class Command(BaseCommand):
    """`terraform output -json | manage.py env_from_terraform --into .env`."""

    help = "Print the settings of the aws backend from `terraform output -json`, read from standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--into", type=Path, metavar="FILE", help="set them in this file, such as .env, and leave its other lines"
        )

    def handle(self, *_arguments: Any, into: Path | None = None, **_options: Any) -> None:
        """Print them, or set them in a file in one step; nothing is written if any of them is wrong."""
        try:
            values = env_values(sys.stdin.read())
            if into is None:
                self.stdout.write(merged("", values), ending="")
                return
            before = into.read_text(encoding="utf-8") if into.exists() else ""
            write_private(into, merged(before, values))
        except (OutputsError, SettingsError) as error:
            sys.exit(str(error))
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"{into} cannot be changed: {error}.")
        self.stderr.write(f"{len(values)} settings are in {into}; `manage.py lakehouse verify-aws` compares them.")
