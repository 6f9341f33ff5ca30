"""`manage.py seed_data`: fill the source tables with test volumes, the same for the same inputs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from saas.owner_database import owner_conninfo
from saas.seeding.errors import SeedError
from saas.seeding.load import seed
from saas.seeding.manifest import Manifest
from saas.seeding.period import parse_day
from saas.seeding.plan import DEFAULT_SEED, Plan
from saas.seeding.scale import parse_scale

_INTERRUPTED = 130
"""What shells report for a program ended by Ctrl+C."""


class Command(BaseCommand):
    """Seeds as the owner of the tables, past row-level security, in one transaction."""

    help = (
        "Fill the source tables with six months of life-like shops: generated, then loaded by COPY in one transaction. "
        "The same --scale, --seed and --as-of give the same rows and checksums. Users are never touched."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the inputs."""
        parser.add_argument(
            "--scale",
            default="medium",
            help="small (1/20 of medium, 4 tenants), medium (8 tenants, 51,200 orders), large (10 x medium, 25 tenants)"
            " or a factor of medium from 0.01 to 100 (default: medium)",
        )
        parser.add_argument(
            "--seed", default=str(DEFAULT_SEED), help=f"whole number that chooses the rows (default: {DEFAULT_SEED})"
        )
        parser.add_argument(
            "--as-of", help="the day, YYYY-MM-DD, before which everything happened (default: today, UTC)"
        )
        parser.add_argument(
            "--reset",
            action="store_true",
            help="empty the source tables first; memberships go with their tenants, users stay",
        )
        parser.add_argument("--json", action="store_true", help="print the manifest as one JSON document")

    def handle(self, **options: Any) -> None:
        """Seed and print the manifest.

        Raises:
            CommandError: It was refused or failed, and nothing was changed.
        """
        try:
            plan = Plan(
                scale=parse_scale(options["scale"]),
                seed=_parse_seed(options["seed"]),
                as_of=_today() if options["as_of"] is None else parse_day(options["as_of"]),
            )
            manifest = self._seed(plan, reset=options["reset"])
        except SeedError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted: nothing was changed.", returncode=_INTERRUPTED) from error
        if options["json"]:
            self.stdout.write(json.dumps(manifest.as_json(), indent=1))
        else:
            self.stdout.write("\n".join(manifest.as_lines()))

    def _seed(self, plan: Plan, *, reset: bool) -> Manifest:
        conninfo = _owner_conninfo()
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
            task = bar.add_task("rows", total=sum(plan.scale.rows.values()))
            return seed(conninfo, plan, reset=reset, on_rows=lambda rows: bar.advance(task, rows))


def _owner_conninfo() -> str:
    conninfo = owner_conninfo()
    if conninfo is None:
        raise SeedError(
            "DATABASE_URL is not set: start the stack with `manage.py up`, or name the owner's database in it."
        )
    return conninfo


def _parse_seed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise SeedError(f"--seed {text!r} is not a whole number: choose 0 or more.") from error


def _today() -> date:
    return datetime.now(UTC).date()
