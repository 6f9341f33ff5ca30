"""Windows of changes: the flushes that follow a position in the source's log, in order and without a gap.

Every flush names the one before it. A reader that knows where it stands can therefore tell
that nothing is missing, nothing comes twice and nothing is another slot's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from etl.bronze.layout import CHANGES_PREFIX, LOADS_PREFIX, change_manifest_key, table_prefix
from etl.bronze.manifest import ChangeManifest, FileManifest, LoadManifest
from etl.bronze.reader import BronzeDamagedError
from etl.contracts.table import TableId
from etl.errors import OperatorError
from etl.ports.object_store import ObjectStore
from etl.replicate.lsn import Lsn, lsn_of

_MANIFEST = re.compile(re.escape(CHANGES_PREFIX) + r"\d{4}/\d{2}/\d{2}/([0-9A-F]{16})\.json")


class WindowBrokenError(OperatorError):
    """The changes in bronze do not continue from where silver stands."""

    guidance: ClassVar[str] = (
        "A flush is missing, doubled or another slot's. Restore the missing objects below _manifests/changes, "
        "or take a new full load: lakehouse resync."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Consecutive flushes of one slot."""

    slot: str
    after_lsn: int
    """The window begins after it: ``last_lsn`` of the flush before, or a load's LSN."""
    manifests: tuple[ChangeManifest, ...]

    @property
    def last_lsn(self) -> int:
        """Every change of transactions that ended up to here, from ``after_lsn`` on, is in the window."""
        return self.manifests[-1].last_lsn if self.manifests else self.after_lsn

    @property
    def tables(self) -> tuple[TableId, ...]:
        """The tables that changed, by name."""
        return tuple(sorted({file.table for manifest in self.manifests for file in manifest.files}))

    @property
    def committed_to(self) -> str:
        """When the source committed the latest transaction, ISO 8601; empty if there is none."""
        return max((manifest.committed_to for manifest in self.manifests), default="")

    def files_of(self, table: TableId, *, after_lsn: int = 0) -> tuple[FileManifest, ...]:
        """Return a table's files of the flushes that end after a position, in the order of their changes."""
        return tuple(
            file for manifest in self.manifests if manifest.last_lsn > after_lsn for file in manifest.files_of(table)
        )


class ChangeLog:
    """Reads a slot's flushes as they come. Remembers where it is, so that looking again costs one folder."""

    def __init__(self, store: ObjectStore, *, slot: str, after_lsn: int) -> None:
        """Begin after a position; nothing is read yet.

        Args:
            store: Bronze.
            slot: Whose flushes.
            after_lsn: Where the reader stands: ``last_lsn`` of a flush, or the LSN of a load.
        """
        self._store = store
        self._slot = slot
        self._day: date | None = None
        self.position = after_lsn
        """``last_lsn`` of the newest flush that was given."""

    def read(self, *, until_lsn: int | None = None, through_lsn: int | None = None, most: int | None = None) -> Window:
        """Return the flushes after the position, and move it behind them; an empty window if there are none.

        Args:
            until_lsn: Leave out flushes that end after it.
            through_lsn: Leave out flushes that begin at it or after it.
            most: So many flushes at most.

        Raises:
            WindowBrokenError: They do not continue from the position.
            BronzeDamagedError: A manifest cannot be read.
            StoreUnavailableError: The store did not answer.
        """
        found: list[ChangeManifest] = []
        position, after_lsn = self.position, self.position
        for day, key in self._keys():
            if most is not None and len(found) == most:
                break
            last_lsn = _last_lsn(key)
            if last_lsn <= position:
                continue
            manifest = read_change_manifest(self._store, key)
            if until_lsn is not None and manifest.last_lsn > until_lsn:
                break
            if through_lsn is not None and manifest.previous_lsn >= through_lsn:
                break
            self._check(manifest, key, position, is_first=not found)
            found.append(manifest)
            position = manifest.last_lsn
            self._day = day
        self.position = position
        return Window(slot=self._slot, after_lsn=after_lsn, manifests=tuple(found))

    def _check(self, manifest: ChangeManifest, key: str, position: int, *, is_first: bool) -> None:
        """Refuse a flush that does not continue from the position.

        A load's LSN may lie within a flush: its table was loaded while the others went on.
        """
        if manifest.slot != self._slot:
            raise WindowBrokenError(f"{key} holds changes of the slot {manifest.slot}, not of {self._slot}.")
        if manifest.last_lsn != _last_lsn(key) or not manifest.previous_lsn < manifest.last_lsn:
            raise WindowBrokenError(f"{key} is not the flush that its name says.")
        if manifest.previous_lsn > position or (manifest.previous_lsn < position and not is_first):
            raise WindowBrokenError(
                f"{key} continues from {Lsn(manifest.previous_lsn)}, but the flush before it ends at {Lsn(position)}."
            )

    def _keys(self) -> Iterator[tuple[date, str]]:
        """Give the keys of manifests from the position's day on, in order; a later day only after the one before it."""
        day = self._day = self._day or _day_of(self._store, self.position)
        if day is None:
            return
        known = change_manifest_key(day, Lsn(self.position).hex)
        for info in self._store.list(_folder(day), after=known):
            yield day, info.key
        end_of_day = f"{_folder(day).rstrip('/')}0"  # The character after the slash: past every key of the day.
        newest = None
        if next(self._store.list(CHANGES_PREFIX, after=end_of_day), None) is not None:
            newest = _newest_day(self._store)
        if newest is None:
            return
        while day <= newest:  # The first day once more: it may have got a flush before a later day got its first.
            for info in self._store.list(_folder(day), after=known):
                yield day, info.key
            day += timedelta(days=1)


def read_change_manifest(store: ObjectStore, key: str) -> ChangeManifest:
    """Return one flush's manifest.

    Raises:
        BronzeDamagedError: It cannot be read.
        StoreUnavailableError: The store did not answer.
    """
    try:
        manifest = ChangeManifest.from_json(store.get(key))
        ranges = [(lsn_of(file.first_change_seq), lsn_of(file.last_change_seq)) for file in manifest.files]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BronzeDamagedError(f"{key} is damaged: it is not the manifest of a flush.") from error
    if not all(manifest.previous_lsn < first <= last <= manifest.last_lsn for first, last in ranges):
        raise BronzeDamagedError(f"{key} is damaged: it names a file whose changes are another flush's.")
    if not all(file.key.startswith(table_prefix(file.table)) for file in manifest.files):
        raise BronzeDamagedError(f"{key} is damaged: it names a file that is another table's.")
    return manifest


def _last_lsn(key: str) -> int:
    """Return the LSN that names a flush.

    Raises:
        WindowBrokenError: The key is not a flush's.
    """
    match = _MANIFEST.fullmatch(key)
    if match is None:
        raise WindowBrokenError(f"{key} is not named as a flush is.")
    return int(match[1], 16)


def _folder(day: date) -> str:
    return f"{CHANGES_PREFIX}{day:%Y/%m/%d}/"


def _day_of(store: ObjectStore, lsn: int) -> date | None:
    """Return the newest day whose first flush is at or before a position, or the oldest day; None without flushes."""
    day = found = _newest_day(store)
    oldest = _oldest_load_day(store)
    while day is not None and (oldest is None or day >= oldest):
        first = next(store.list(_folder(day)), None)
        if first is not None:
            found = day
            if _last_lsn(first.key) <= lsn:
                break
        if oldest is None and first is None:
            break
        day -= timedelta(days=1)
    return found


def _oldest_load_day(store: ObjectStore) -> date | None:
    """Return the day of the first full load: no flush is older."""
    first = next(store.list(LOADS_PREFIX), None)
    if first is None:
        return None
    load = LoadManifest.from_json(store.get(first.key))
    return datetime.fromisoformat(load.snapshot_at).astimezone(UTC).date() - timedelta(days=1)


def _newest_day(store: ObjectStore) -> date | None:
    """Return the newest day that has flushes, asking digit by digit."""
    prefix = CHANGES_PREFIX
    for digits in (4, 2, 2):
        for _ in range(digits):
            longer = (f"{prefix}{digit}" for digit in "9876543210")
            found = next((each for each in longer if next(store.list(each), None) is not None), None)
            if found is None:
                return None
            prefix = found
        prefix += "/"
    return date.fromisoformat("-".join(prefix.split("/")[-4:-1]))
