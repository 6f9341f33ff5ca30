"""Print how much each tenant uses the platform, month by month; for the platform's own staff."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import ClassVar, cast

from etl.errors import OperatorError
from lakehouse_admin.cli.verb import SUCCESS, Output
from lakehouse_admin.status.publications import RecordedPublications

TABLE = "gold.platform_usage"
_SHOWN = (
    "month", "name", "plan", "signups", "orders", "revenue", "currency", "visits", "events", "most_active_customers",
    "orders_share",
)  # fmt: skip
_TEXT = frozenset({"month", "name", "plan", "currency"})


class UsageMissingError(OperatorError):
    """The platform's usage is not published yet."""

    guidance: ClassVar[str] = "Run the pipeline with `manage.py lakehouse run --wait`, then ask again."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the option."""
    parser.add_argument("--month", type=_month, help="one month only, as YYYY-MM")


def handle(options: Mapping[str, object], output: Output) -> int:
    """Print the newest publication's usage, the latest month first, the busiest tenant first within it.

    Raises:
        UsageMissingError: Nothing is published yet, or by an older version.
        SnapshotGoneError: Files of the publication are missing.
    """
    from etl.engine.pinned import pinned_rows  # noqa: PLC0415 - the other verbs start quicker

    publication = RecordedPublications().current()
    pins = {pin.table: pin for pin in publication.pins} if publication else {}
    if TABLE not in pins:
        raise UsageMissingError
    rows = [row for row in pinned_rows(pins[TABLE]) if options.get("month") in {None, row["month"]}]
    rows.sort(key=lambda row: (-cast("date", row["month"]).toordinal(), -cast("int", row["orders"]), str(row["name"])))
    if output.as_json:
        output.document([{name: _plain(value) for name, value in row.items()} for row in rows])
    else:
        right = frozenset(place for place, name in enumerate(_SHOWN) if name not in _TEXT)
        output.table(_SHOWN, [[_text(row[name]) for name in _SHOWN] for row in rows], right=right)
    return SUCCESS


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, date | Decimal) else value


def _text(value: object) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m}"
    if isinstance(value, float):
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)
