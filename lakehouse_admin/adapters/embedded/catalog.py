"""`Catalog` over pyiceberg's catalog in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from pyiceberg.catalog import Catalog as PyIcebergCatalog
from pyiceberg.exceptions import NoSuchNamespaceError

from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.tables import load_table, summary
from etl.ports.catalog import TableMissingError


class IcebergCatalog:
    """Reads the table list and current snapshots; connects for each call, for calls are rare."""

    def __init__(self, lake: LakeConfig) -> None:
        """Remember where the catalog is; nothing is opened yet."""
        self._lake = lake

    def tables(self, namespace: str) -> Sequence[str]:
        """Return the namespace's qualified table names, sorted; see `Catalog.tables`."""
        with open_catalog(self._lake) as catalog, catalog_errors():
            try:
                return sorted(".".join(name) for name in catalog.list_tables(namespace))
            except NoSuchNamespaceError:
                return []

    def pin(self, tables: Sequence[str]) -> tuple[TablePin, ...]:
        """Return each table's current snapshot, in the order asked; see `Catalog.pin`."""
        with open_catalog(self._lake) as catalog:
            return tuple(_pin(catalog, name) for name in tables)


def _pin(catalog: PyIcebergCatalog, name: str) -> TablePin:
    table = load_table(catalog, name)
    snapshot = table.current_snapshot()
    if snapshot is None:
        raise TableMissingError("Nothing was ever committed to the table.", table=name)
    return TablePin(
        table=name,
        metadata_location=table.metadata_location,
        snapshot_id=snapshot.snapshot_id,
        rows=int(summary(table)["total-records"]),
    )
