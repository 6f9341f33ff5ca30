"""`manage.py simulate_traffic`: let the shops be busy, at a rate, the same for the same seed."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from saas.owner_database import owner_conninfo
from saas.traffic.batch import Op
from saas.traffic.errors import TrafficError
from saas.traffic.simulate import Done, Wanted, simulate

_STOPPED = 130
"""What shells report for a program ended by Ctrl+C."""


class Command(BaseCommand):
    """Writes as the owner of the tables, one tenant in each transaction."""

    help = (
        "Make inserts, updates and deletes on the source: visits, orders, refunds, new customers, plan changes and the "
        "rest of a shop's day. The same --seed on the same rows makes the same changes. Ctrl+C ends it cleanly."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the inputs."""
        parser.add_argument("--changes", type=int, help="stop after exactly so many rows inserted, updated, deleted")
        parser.add_argument("--rate", type=float, help="changes a second (default: as many as go)")
        parser.add_argument("--seconds", type=float, help="stop after so long")
        parser.add_argument("--seed", type=int, default=1, help="whole number that chooses the changes (default: 1)")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, **options: Any) -> None:
        """Make traffic and print what was done.

        Raises:
            CommandError: It was refused or failed.
        """
        conninfo = owner_conninfo()
        if conninfo is None:
            raise CommandError(
                "DATABASE_URL is not set: start the stack with `manage.py up`, or name the owner's database in it."
            )
        try:
            wanted = Wanted(**{name: options[name] for name in ("seed", "changes", "rate", "seconds")})
            with _stop_signals() as stop:
                done = simulate(conninfo, wanted, stop=stop)
        except TrafficError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(_document(wanted, done), indent=1))
        else:
            self.stdout.write("\n".join(_lines(done)))
        if done.was_stopped:
            raise CommandError("Stopped before it was done: the changes above are made.", returncode=_STOPPED)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Have Ctrl+C and SIGTERM set the event while the block runs."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _document(wanted: Wanted, done: Done) -> dict[str, object]:
    tables = sorted({table for table, _ in done.changes})
    return {
        "seed": wanted.seed,
        "changes": done.total,
        "transactions": done.transactions,
        "seconds": round(done.seconds, 3),
        "changes_per_second": round(done.total / done.seconds, 1) if done.seconds else None,
        "tables": {table: {str(op): done.changes[table, op] for op in Op} for table in tables},
        "acts": dict(sorted(done.acts.items())),
        "stopped": done.was_stopped,
    }


def _lines(done: Done) -> list[str]:
    rate = f", {done.total / done.seconds:,.0f} a second" if done.seconds else ""
    lines = [f"{done.total:,} changes in {done.transactions:,} transactions and {done.seconds:.1f} s{rate}:"]
    for table in sorted({table for table, _ in done.changes}):
        counts = ", ".join(f"{done.changes[table, op]:,} {op}s" for op in Op if done.changes[table, op])
        lines.append(f"  {table:<14} {counts}")
    return lines
