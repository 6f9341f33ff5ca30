"""How fresh every gold table promises to be, and whether it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import etl.gold
from etl.replicate.status import Standing
from lakehouse_admin.models import PublicationRecord
from lakehouse_admin.status.replication import Replication

_MODELS = Path(etl.gold.__file__).parent / "models"
_PROMISE = re.compile(r"^(?:--\s*)?freshness_(seconds|hours):\s*(\d+)\s*$", re.MULTILINE)
_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One gold table's promise, and how it stands."""

    table: str
    promised_seconds: int
    age_seconds: float | None
    """Age of what readers see; None if they see nothing of it yet."""

    @property
    def is_kept(self) -> bool:
        """Whether it is as fresh as promised."""
        return self.age_seconds is not None and self.age_seconds <= self.promised_seconds


@lru_cache(maxsize=4)
def promised_seconds(folder: Path = _MODELS) -> Mapping[str, int]:
    """Return the promised age by table, in seconds.

    One line of each file's front matter, read as text: parsing models loads engines that
    pages and commands do without.
    """
    promises = {}
    for path in sorted(folder.glob("*.sql")):
        found = _PROMISE.search(path.read_text(encoding="utf-8"))
        if found is not None:
            factor = _HOUR_SECONDS if found[1] == "hours" else 1
            promises[f"gold.{path.stem}"] = int(found[2]) * factor
    return promises


def promises(publication: PublicationRecord | None, replication: Replication, *, now: datetime) -> tuple[Promise, ...]:
    """Return how every promise stands, the most broken first."""
    pins = {pin["table"]: pin for pin in publication.pins} if publication else {}
    found = []
    for table, seconds in promised_seconds().items():
        age = None
        if publication is not None and table in pins:
            own = pins[table].get("as_of")
            as_of = datetime.fromisoformat(own) if isinstance(own, str) else publication.as_of
            age = (now - complete_until(as_of, replication)).total_seconds()
        found.append(Promise(table=table, promised_seconds=seconds, age_seconds=age))
    return tuple(sorted(found, key=_brokenness, reverse=True))


def complete_until(as_of: datetime, replication: Replication) -> datetime:
    """Return the source time up to which data as of ``as_of`` is complete.

    Later than ``as_of`` if the source is proven to have had nothing to say since: the
    replicator is well, and the newest change it landed is not newer than the data.
    """
    heard_at, committed_to = replication.heard_at, replication.committed_to
    if replication.standing is not Standing.WELL or heard_at is None or committed_to is None:
        return as_of
    return max(as_of, heard_at) if committed_to <= as_of else as_of


def _brokenness(promise: Promise) -> tuple[float, str]:
    age = float("inf") if promise.age_seconds is None else promise.age_seconds
    return age / promise.promised_seconds, promise.table
