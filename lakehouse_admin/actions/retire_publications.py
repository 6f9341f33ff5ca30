"""Retire publications: the one way in which they leave the database. Their files go afterwards, by maintenance."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from etl.contracts.publication import Publication, TablePin
from lakehouse_admin.lease import Held, proving
from lakehouse_admin.models import PublicationRecord
from lakehouse_admin.retention import Published, Retention, numbers_to_keep


def retire_publications(*, held: Held, rule: Retention, now: datetime) -> frozenset[int]:
    """Remove the publications that the rule does not keep; return their numbers.

    Whoever keeps one at the same moment either comes first, or finds it gone: both lock its row.

    Args:
        held: The caller's lease on the lake: nobody publishes meanwhile, or publishes an old version again.
        rule: What is kept.
        now: The time (UTC).

    Raises:
        LeaseLostError: Somebody else writes the lake now; nothing was removed.
    """
    with proving(held):
        going = _to_retire(rule, now=now, is_locked=True)
        PublicationRecord.objects.filter(number__in=going).delete()
    return going


def publications_to_retire(rule: Retention, *, now: datetime) -> frozenset[int]:
    """Return the numbers that `retire_publications` would remove. Changes nothing."""
    return _to_retire(rule, now=now, is_locked=False)


def kept_pins(*, without: frozenset[int] = frozenset()) -> tuple[TablePin, ...]:
    """Return every snapshot that a publication pins, each once."""
    records = PublicationRecord.objects.exclude(number__in=without).order_by("number")
    found: dict[tuple[str, str, int], TablePin] = {}
    for pins in records.values_list("pins", flat=True).iterator():
        for pin in map(_pin, pins):
            found.setdefault((pin.table, pin.metadata_location, pin.snapshot_id), pin)
    return tuple(found.values())


class KeptPins:
    """What the publications pin that are kept, for the one who holds the lake: nobody else publishes or retires."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._by_number: dict[int, tuple[TablePin, ...]] = {}
        self._known: dict[TablePin, TablePin] = {}

    def read(self) -> None:
        """Read them anew: somebody else may have had the lake."""
        self._by_number.clear()
        self._known.clear()
        for number, pins in PublicationRecord.objects.values_list("number", "pins").iterator():
            self._keep(number, map(_pin, pins))

    def add(self, publication: Publication) -> None:
        """Take note of a new one."""
        self._keep(publication.number, publication.pins)

    def drop(self, numbers: Collection[int]) -> None:
        """Take note of retired ones."""
        for number in numbers:
            self._by_number.pop(number, None)
        self._known = {pin: pin for pins in self._by_number.values() for pin in pins}

    def all(self) -> Collection[TablePin]:
        """Return the pins, each once."""
        return self._known.keys()

    def _keep(self, number: int, pins: Iterable[TablePin]) -> None:
        # Most pins are those of the publication before: one object for all of them.
        self._by_number[number] = tuple(self._known.setdefault(pin, pin) for pin in pins)


def _pin(fields: dict[str, object]) -> TablePin:
    return TablePin(**fields)  # type: ignore[arg-type]


def _to_retire(rule: Retention, *, now: datetime, is_locked: bool) -> frozenset[int]:
    records = PublicationRecord.objects.order_by("number")
    if is_locked:
        records = records.select_for_update()
    rows: Sequence[tuple[int, datetime, str, datetime | None]] = list(
        records.values_list("number", "published_at", "kept_reason", "kept_until")
    )
    published = [
        Published(number=number, published_at=at, kept_reason=reason, kept_until=until)
        for number, at, reason, until in rows
    ]
    kept = numbers_to_keep(published, rule, now=now)
    return frozenset(each.number for each in published if each.number not in kept)
