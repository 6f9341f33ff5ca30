"""`Catalog` over pyiceberg's catalog in PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from pyiceberg.catalog import Catalog as PyIcebergCatalog
from pyiceberg.exceptions import NoSuchNamespaceError

from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.tables import load_table, summary
from etl.ports.catalog import TableMissingError


class IcebergCatalog:
    """Reads the table list and current snapshots; connects at the first call."""

    def __init__(self, lake: LakeConfig) -> None:
        """Remember where the catalog is; nothing is opened yet."""
        self._lake = lake
        self._lock = threading.Lock()
        self._opened: PyIcebergCatalog | None = None

    def tables(self, namespace: str) -> Sequence[str]:
        """Return the namespace's qualified table names, sorted; see `Catalog.tables`."""
        with catalog_errors():
            try:
                return sorted(".".join(name) for name in self._catalog().list_tables(namespace))
            except NoSuchNamespaceError:
                return []

    def pin(self, tables: Sequence[str]) -> tuple[TablePin, ...]:
        """Return each table's current snapshot, in the order asked; see `Catalog.pin`."""
        return tuple(self._pin(name) for name in tables)

    def _pin(self, name: str) -> TablePin:
        table = load_table(self._catalog(), name)
        snapshot = table.current_snapshot()
        if snapshot is None:
            raise TableMissingError("nothing was ever committed to the table", table=name)
        return TablePin(
            table=name,
            metadata_location=table.metadata_location,
            snapshot_id=snapshot.snapshot_id,
            rows=int(summary(table)["total-records"]),
        )

    def _catalog(self) -> PyIcebergCatalog:
        with self._lock:
            if self._opened is None:
                self._opened = open_catalog(self._lake)
            return self._opened
