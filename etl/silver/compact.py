"""Write a silver table's partitions anew where changes have left many small files or many deleted rows.

A compaction moves rows and changes none: its snapshot has the same rows and the same
watermark, and `etl.silver.changed` sees through it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
from pyiceberg.manifest import DataFile

from etl.engine.live_files import LiveFiles, PartitionValue
from etl.engine.merge_on_read import is_settled, write_anew
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_errors
from etl.engine.write import table_write
from etl.silver.summary import COMPACTION
from etl.silver.table import SilverTable

MERGED_FILES = 8
"""Settled files of a partition below `MERGED_ROWS` that may gather before they are written as one."""
MERGED_ROWS = 200_000
DELETED_SHARE = 0.2
"""Share of a partition's rows that may be deleted before all of it is written anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did to one table."""

    table: str
    partitions: int
    files_before: int
    files_after: int
    rows_moved: int
    snapshot_id: int
    seconds: float


def partitions_to_compact(live: LiveFiles) -> tuple[PartitionValue, ...]:
    """Return the partitions that ask for a compaction, those with the largest deleted share first."""
    shares = {value: share for value in live.data_by_partition if (share := _asks(live, value)) is not None}
    return tuple(sorted(shares, key=lambda value: shares[value], reverse=True))


def compact(
    silver: SilverTable,
    connection: duckdb.DuckDBPyConnection,
    partitions: Sequence[PartitionValue],
    *,
    order_by: Sequence[str],
) -> Compacted | None:
    """Write the partitions anew as far as they ask for it, in one snapshot; None if there is nothing to do.

    Args:
        silver: The open table; at its newest snapshot afterwards. After an error it is to be opened anew.
        connection: A DuckDB session.
        partitions: From `partitions_to_compact`.
        order_by: The table's key: rows that lie in its order are found faster.

    Raises:
        CommitConflictError: Someone else changed the table meanwhile; nothing was done.
        CommitUnknownError: The catalog went away during the commit.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the files.
    """
    started = time.perf_counter()
    live = silver.live
    files = [file for value in partitions for file in _files_to_move(live, value)]
    if not files:
        return None
    with table_write(silver.table, connection) as write, duckdb_errors():
        add, remove = write_anew(write, connection, live, files, order_by=order_by)
        delta = RowDelta(
            add=add,
            remove=remove,
            properties={**silver.properties(), COMPACTION: "true"},
            moves_only=True,
            expire=silver.expired,
        )
        silver.live = write.commit_delta(live, delta, is_settled=is_settled)
    return Compacted(
        table=silver.lake_name,
        partitions=len(partitions),
        files_before=len(live.data) + len(live.deletes),
        files_after=len(silver.live.data) + len(silver.live.deletes),
        rows_moved=sum(file.record_count for file in add if file in set(silver.live.data)),
        snapshot_id=silver.snapshot_id,
        seconds=time.perf_counter() - started,
    )


def _asks(live: LiveFiles, value: PartitionValue) -> float | None:
    """Return the deleted share of a partition that asks for a compaction; None of another."""
    rows = sum(file.record_count for file in live.data_by_partition[value])
    deleted = sum(file.record_count for file in live.deletes_by_partition.get(value, ()))
    share = deleted / rows if rows else 0.0
    return share if share > DELETED_SHARE or len(list(_mergeable(live, value))) > MERGED_FILES else None


def _files_to_move(live: LiveFiles, value: PartitionValue) -> tuple[DataFile, ...]:
    files = live.data_by_partition.get(value, ())
    rows = sum(file.record_count for file in files)
    if sum(file.record_count for file in live.deletes_by_partition.get(value, ())) > DELETED_SHARE * rows:
        return files
    return tuple(_mergeable(live, value))


def _mergeable(live: LiveFiles, value: PartitionValue) -> Iterator[DataFile]:
    return (
        file for file in live.data_by_partition.get(value, ()) if is_settled(file) and file.record_count < MERGED_ROWS
    )
