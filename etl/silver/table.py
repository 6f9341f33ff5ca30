"""A silver table as one process keeps it open: its files, and where in the source's log it stands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.engine.live_files import LiveFiles, live_files
from etl.engine.tables import load_table, summary
from etl.errors import OperatorError
from etl.ports.catalog import TableMissingError
from etl.replicate.lsn import LAST_ORDINAL, change_seq
from etl.silver.summary import CONTRACT_VERSION, LOAD_ID, REJECTS, SOURCE_LSN, WATERMARK
from etl.silver.tombstones import Tombstones

SILVER = "silver"

SNAPSHOTS_KEPT = 64
_SNAPSHOTS_MORE = 32
"""Snapshots are forgotten so many at a time."""

_CARRIED = (LOAD_ID, WATERMARK, SOURCE_LSN, CONTRACT_VERSION, REJECTS)


class TableNotLoadedError(OperatorError):
    """Silver has no full load of a table yet, so its changes have nothing to change."""

    guidance: ClassVar[str] = "Apply the table's full load first; its changes stay in bronze and are applied after it."


class SilverTable:
    """One table, open."""

    def __init__(self, catalog: Catalog, lake_name: str) -> None:
        """Open the table at its current snapshot.

        Raises:
            TableNotLoadedError: No full load has reached silver.
            DeleteFilesError: Another engine wrote equality deletes.
            CatalogUnavailableError: No answer.
        """
        self.lake_name = lake_name
        self._catalog = catalog
        try:
            self.table: Table = load_table(catalog, f"{SILVER}.{lake_name}")
        except TableMissingError as error:
            raise TableNotLoadedError(table=lake_name) from error
        self.live: LiveFiles = live_files(self.table)
        if not self.load_id:
            raise TableNotLoadedError(table=lake_name)

    @cached_property
    def tombstones(self) -> Tombstones:
        """The keys that are gone."""
        return Tombstones(self._catalog, self.lake_name)

    @property
    def rows(self) -> int:
        """Current rows."""
        return int(self._summary["total-records"]) - int(self._summary.get("total-position-deletes", "0"))

    @property
    def load_id(self) -> str:
        """The full load that the rows go back to."""
        return self._summary.get(LOAD_ID, "")

    @property
    def load_floor(self) -> str:
        """The highest change sequence that the load may have seen: what is at or below it, the load replaced."""
        return change_seq(int(self.load_id, 16), LAST_ORDINAL)

    @property
    def source_lsn(self) -> int:
        """Every change of transactions that ended up to here is in the current snapshot."""
        return int(self._summary.get(SOURCE_LSN, "0"))

    @property
    def watermark(self) -> str:
        """Highest change sequence that the current snapshot holds."""
        return self._summary.get(WATERMARK, "")

    @property
    def contract_version(self) -> int:
        """The version of the contract that the columns follow."""
        return int(self._summary.get(CONTRACT_VERSION, "0"))

    @property
    def snapshot_id(self) -> int:
        """The current snapshot."""
        assert self.live.snapshot_id is not None
        return self.live.snapshot_id

    @property
    def rejects(self) -> int:
        """Rows quarantined since the load began."""
        return int(self._summary.get(REJECTS, "0"))

    def properties(self, **changed: str) -> Mapping[str, str]:
        """Return what the next snapshot's summary says: as the current one, but for what changed."""
        current = self._summary
        carried = {name: current[name] for name in _CARRIED if name in current}
        renamed = {
            "watermark": WATERMARK,
            "source_lsn": SOURCE_LSN,
            "contract_version": CONTRACT_VERSION,
            "rejects": REJECTS,
        }
        return carried | {renamed[name]: value for name, value in changed.items()}

    @property
    def expired(self) -> tuple[int, ...]:
        """Snapshots to forget with the next commit: the oldest, but for the load's own and those that have a name."""
        snapshots = self.table.snapshots()
        if len(snapshots) < SNAPSHOTS_KEPT + _SNAPSHOTS_MORE:
            return ()
        named = {reference.snapshot_id for reference in self.table.metadata.refs.values()}
        return tuple(
            snapshot.snapshot_id
            for snapshot in snapshots[:-SNAPSHOTS_KEPT]
            if snapshot.snapshot_id not in named and not self._is_load(snapshot.snapshot_id)
        )

    @property
    def _summary(self) -> dict[str, str]:
        return summary(self.table)

    def _is_load(self, snapshot_id: int) -> bool:
        """Tell whether a snapshot is the one that the current load made."""
        first = next(
            each.snapshot_id
            for each in self.table.snapshots()
            if each.summary and each.summary.additional_properties.get(LOAD_ID) == self.load_id
        )
        return snapshot_id == first
