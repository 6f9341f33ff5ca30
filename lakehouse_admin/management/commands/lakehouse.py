"""`manage.py lakehouse <verb>`: the control plane from a shell."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Runs and shows the way of the data."""

    help = "Run the pipeline and see how it is doing."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the verbs."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        run = verbs.add_parser("run", help="start a run now")
        run.add_argument("--wait", action="store_true", help="wait for the end; exit 0 only if published")
        run.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb."""
        raise NotImplementedError
