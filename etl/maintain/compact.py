"""Write anew what changes have left in many small files, or with many rows that are gone, all over silver and gold.

The follower compacts a partition now and then between two cycles. This does all that asks
for it at once, for lakes that are not followed and for tables that have come to rest.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
from pyiceberg.catalog import Catalog

from etl.contracts.store import newest_contract, read_contract
from etl.contracts.table import TableId
from etl.engine.live_files import LiveFiles, PartitionValue, live_files
from etl.engine.merge_on_read import write_anew
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_errors
from etl.engine.tables import load_table, summary
from etl.engine.write import table_write
from etl.ports.object_store import ObjectStore
from etl.silver.compact import Compacted, compact, partitions_to_compact
from etl.silver.summary import COMPACTION
from etl.silver.table import SilverTable, TableNotLoadedError

GOLD_FILES = 8
"""Files that a partition of gold may have: our own writer makes few, another engine may make many."""


def compact_silver(
    catalog: Catalog, connection: duckdb.DuckDBPyConnection, store: ObjectStore, table: TableId, *, dry_run: bool
) -> int:
    """Compact every partition of a silver table that asks for it; return how many these are.

    Raises:
        CommitConflictError: Someone else changed the table meanwhile; nothing was done.
        CatalogUnavailableError: No answer.
        StoreFullError: No room for the files.
    """
    try:
        silver = SilverTable(catalog, table.lake_name)
    except TableNotLoadedError:
        return 0
    partitions = partitions_to_compact(silver.live)
    contract = (
        read_contract(store, table, silver.contract_version)
        if silver.contract_version
        else newest_contract(store, table)
    )
    if not partitions or contract is None or dry_run:
        return len(partitions)
    done: Compacted | None = compact(silver, connection, partitions, order_by=contract.key)
    return done.partitions if done else 0


def compact_gold(catalog: Catalog, connection: duckdb.DuckDBPyConnection, name: str, *, dry_run: bool) -> int:
    """Write the partitions of a gold table anew that have too many files; return how many these are.

    What the rows were computed from is carried over, so that no model is computed again for it.

    Raises:
        CommitConflictError: Someone else changed the table meanwhile; nothing was done.
        CatalogUnavailableError: No answer.
        StoreFullError: No room for the files.
    """
    table = load_table(catalog, name)
    live = live_files(table)
    crowded = list(_crowded(live))
    if not crowded or dry_run:
        return len(crowded)
    carried = {key: value for key, value in summary(table).items() if key.startswith("lakeside.")}
    files = [file for value in crowded for file in live.data_by_partition[value]]
    with table_write(table, connection) as write, duckdb_errors():
        order_by = [field.name for field in table.schema().fields[:2]]
        add, remove = write_anew(write, connection, live, files, order_by=order_by)
        delta = RowDelta(add=add, remove=remove, properties={**carried, COMPACTION: "true"}, moves_only=True)
        write.commit_delta(live, delta, is_settled=lambda _file: False)
    return len(crowded)


def _crowded(live: LiveFiles) -> Iterator[PartitionValue]:
    return (value for value, files in live.data_by_partition.items() if len(files) > GOLD_FILES)
