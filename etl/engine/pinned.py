"""Read a published table whole, by its pin alone: for small tables of the platform's staff, never for tenants."""

from __future__ import annotations

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.table import StaticTable

from etl.contracts.publication import TablePin
from etl.engine.catalog import FILE_IO
from etl.ports.query_engine import SnapshotGoneError


def pinned_rows(pin: TablePin) -> list[dict[str, object]]:
    """Return the table's rows at the pinned snapshot.

    Raises:
        SnapshotGoneError: A file of it is gone.
    """
    try:
        table = StaticTable.from_metadata(pin.metadata_location, properties=FILE_IO)
        rows: list[dict[str, object]] = table.scan(snapshot_id=pin.snapshot_id).to_arrow().to_pylist()
    except (FileNotFoundError, NoSuchTableError, ValueError) as error:
        raise SnapshotGoneError(table=pin.table, snapshot_id=pin.snapshot_id) from error
    return rows
