"""What the passing of time changes in a model, while none of its inputs does.

A model that asks `AS_OF()` only for tenants' calendar days, ``LOCAL_DAY(AS_OF(), timezone)``,
changes at their midnights. Every midnight of the world falls on a quarter of an hour of UTC,
so within one nothing changes for anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from sqlglot import exp

from etl.gold.compile import CompiledModel

_QUARTER = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AsOfUse(Enum):
    """How a model depends on the time at which the data stands."""

    NONE = auto()
    DAYS = auto()
    """Through the day in each tenant's time zone, the column ``timezone``."""
    MOMENT = auto()
    """In any other way: it may change with every moment."""


def as_of_use(compiled: CompiledModel) -> AsOfUse:
    """Look at a model's SELECT and checks."""
    uses = set(_uses(compiled.model.query))
    for check in compiled.checks:
        uses |= set(_uses(check.query))
    if AsOfUse.MOMENT in uses:
        return AsOfUse.MOMENT
    return AsOfUse.DAYS if uses else AsOfUse.NONE


def representative(as_of: datetime, use: AsOfUse) -> datetime:
    """Return the moment to compute with: the same for all moments that give the same rows."""
    if use is AsOfUse.MOMENT:
        return as_of
    return as_of - (as_of - _EPOCH) % _QUARTER if use is AsOfUse.DAYS else _EPOCH


def _uses(query: exp.Query) -> Iterable[AsOfUse]:
    for node in query.find_all(exp.Anonymous):
        if node.name.upper() != "AS_OF":
            continue
        day = node.parent
        is_local_day = isinstance(day, exp.Anonymous) and day.name.upper() == "LOCAL_DAY" and day.expressions[0] is node
        zone = day.expressions[1] if is_local_day and isinstance(day, exp.Anonymous) else None
        yield AsOfUse.DAYS if isinstance(zone, exp.Column) and zone.name == "timezone" else AsOfUse.MOMENT
