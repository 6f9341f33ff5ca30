"""`QueryEngine` on DuckDB: one sandbox per tenant and publication.

A sandbox is an in-memory DuckDB whose views ``gold.<model>`` read the data files of one
tenant's partition, as planned from the published snapshot's metadata. No other file can be
opened in it, by whatever SQL: only those paths are allowed, and the configuration is
locked. `etl.engine.gold_select` refuses other SQL before it gets there.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Generic, LiteralString, TypeVar

import duckdb
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile
from pyiceberg.table import StaticTable, Table

from etl.contracts.publication import Publication, TablePin
from etl.engine.catalog import FILE_IO
from etl.engine.gold_select import GOLD, GoldSelect, gold_select
from etl.engine.lake import LakeConfig
from etl.engine.sql import qualified, text_list
from etl.engine.tables import data_files, partition_column, relation
from etl.ports.query_engine import (
    QueryRefusedError,
    QueryResult,
    QueryUnavailableError,
    SnapshotGoneError,
    Value,
)

_TENANT_COLUMN = "tenant_id"
_MEMORY_LIMIT_BYTES = 256 * 1024 * 1024
_MAX_ROWS = 100_000
_CONCURRENT_QUERIES = 4
_SANDBOXES = 32
_TABLES = 64
_TIMEOUT_SECONDS = 10.0

_KeyT = TypeVar("_KeyT")
_ValueT = TypeVar("_ValueT")


class DuckDBQueryEngine:
    """Answers from files of the lake; safe to share between threads."""

    def __init__(
        self, lake: LakeConfig, *, timeout_seconds: float = _TIMEOUT_SECONDS, memory_limit_bytes: int | None = None
    ) -> None:
        """Remember the limits; nothing is opened yet.

        Args:
            lake: Bounds memory; pinned metadata is read without the catalog.
            timeout_seconds: Longest a query may wait for its turn, and then run.
            memory_limit_bytes: DuckDB's share per sandbox; 256 MB or the lake's limit, if smaller.
        """
        self._timeout_seconds = timeout_seconds
        self._memory_limit_bytes = memory_limit_bytes or min(_MEMORY_LIMIT_BYTES, lake.memory_limit_bytes)
        self._turns = threading.BoundedSemaphore(_CONCURRENT_QUERIES)
        self._tables = _Recent[TablePin, _PinnedTable](_TABLES)
        self._sandboxes = _Recent[tuple[int, tuple[TablePin, ...]], _Sandbox](_SANDBOXES)

    def query(
        self,
        sql: LiteralString,
        *,
        tenant_id: int,
        publication: Publication,
        parameters: Sequence[Value] = (),
    ) -> QueryResult:
        """Answer ``sql`` from the tenant's rows of the publication; see `QueryEngine.query`."""
        started = time.perf_counter()
        select = gold_select(sql)
        with self._turn():
            sandbox = self._sandboxes.get((tenant_id, publication.pins), partial(self._sandbox, tenant_id, publication))
            sandbox.check(select)
            columns, rows = sandbox.run(select, parameters, timeout_seconds=self._timeout_seconds)
        return QueryResult(
            columns=columns,
            rows=rows,
            seconds=time.perf_counter() - started,
            bytes_scanned=sandbox.size_bytes(select),
        )

    def _sandbox(self, tenant_id: int, publication: Publication) -> _Sandbox:
        pinned = {pin.table: self._tables.get(pin, partial(_PinnedTable.open, pin)) for pin in publication.pins}
        return _Sandbox(tenant_id, pinned, memory_limit_bytes=self._memory_limit_bytes)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Bound how many queries run, and so their memory.

        Raises:
            QueryUnavailableError: Others kept every turn for too long.
        """
        if not self._turns.acquire(timeout=self._timeout_seconds):
            raise QueryUnavailableError("Too many queries run at the same time; ask again.")
        try:
            yield
        finally:
            self._turns.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _PinnedTable:
    """A gold table's data files at a published snapshot, by tenant."""

    table: Table
    files: Mapping[int, Sequence[DataFile]] | None
    """None for a table that is not kept by tenant: it holds rows of the whole platform."""

    @classmethod
    def open(cls, pin: TablePin) -> _PinnedTable:
        """Plan the snapshot from its metadata file alone.

        Raises:
            SnapshotGoneError: A file of it is gone.
        """
        try:
            table = StaticTable.from_metadata(pin.metadata_location, properties=FILE_IO)
            files = data_files(table, snapshot_id=pin.snapshot_id)
        except (FileNotFoundError, NoSuchTableError, ValueError) as error:
            raise SnapshotGoneError(table=pin.table, snapshot_id=pin.snapshot_id) from error
        if partition_column(table) != _TENANT_COLUMN:
            return cls(table=table, files=None)
        by_tenant: dict[int, list[DataFile]] = {}
        for file in files:
            by_tenant.setdefault(file.partition[0], []).append(file)
        return cls(table=table, files=by_tenant)


class _Sandbox:
    """A DuckDB that can read the files of one tenant and nothing else."""

    def __init__(self, tenant_id: int, pinned: Mapping[str, _PinnedTable], *, memory_limit_bytes: int) -> None:
        self._platform = {name for name, table in pinned.items() if table.files is None}
        files = {name: table.files.get(tenant_id, ()) for name, table in pinned.items() if table.files is not None}
        self._size_bytes = {name: sum(file.file_size_in_bytes for file in each) for name, each in files.items()}
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": 1,
                "memory_limit": f"{memory_limit_bytes}B",
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        paths = [file.file_path for each in files.values() for file in each]
        with _duckdb_errors():
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("SET python_enable_replacements = false")
            self._connection.execute(f"SET allowed_paths = {text_list(paths)}")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
            self._connection.execute(f"CREATE SCHEMA {GOLD}")
            for name, each in files.items():
                # The predicate repeats what the choice of files has done: two nets are better than one.
                rows = f"SELECT * FROM ({relation(pinned[name].table, each)}) WHERE {_TENANT_COLUMN} = {int(tenant_id)}"
                self._connection.execute(f"CREATE VIEW {qualified(name)} AS {rows}")

    def check(self, select: GoldSelect) -> None:
        """Refuse a query over tables that this sandbox does not hold.

        Raises:
            QueryRefusedError: One is not published, or not kept by tenant.
        """
        for table in sorted(select.tables):
            if table in self._platform:
                raise QueryRefusedError(f"{table} holds rows of the whole platform, which no tenant may read.")
            if table not in self._size_bytes:
                raise QueryRefusedError(f"{table} is not part of the publication.")

    def size_bytes(self, select: GoldSelect) -> int:
        """Return the size of the files behind the query's tables."""
        return sum(self._size_bytes[table] for table in select.tables)

    def run(
        self, select: GoldSelect, parameters: Sequence[Value], *, timeout_seconds: float
    ) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
        """Return column names and rows.

        Raises:
            QueryRefusedError: It does not compute, needs too much memory, or returns too many rows.
            QueryUnavailableError: It took too long.
            SnapshotGoneError: A data file is gone.
        """
        cursor = self._connection.cursor()
        alarm = threading.Timer(timeout_seconds, _interrupt, [cursor])
        alarm.daemon = True
        alarm.start()
        try:
            with _duckdb_errors():
                cursor.execute(select.sql, list(parameters))
                rows = cursor.fetchmany(_MAX_ROWS + 1)
                description = cursor.description or []
        finally:
            alarm.cancel()
            cursor.close()
        if len(rows) > _MAX_ROWS:
            raise QueryRefusedError(f"A query returns at most {_MAX_ROWS} rows; aggregate, or add a LIMIT.")
        return tuple(name for name, *_ in description), tuple(_row(row) for row in rows)


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    """End the cursor's query, unless it has just ended by itself and closed the cursor."""
    with suppress(duckdb.Error):
        cursor.interrupt()


class _Recent(Generic[_KeyT, _ValueT]):
    """The most recently used values; at a miss, one thread makes the value and others with its key wait."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[_KeyT, _ValueT] = OrderedDict()
        self._lock = threading.Lock()
        self._making: dict[_KeyT, threading.Lock] = {}

    def get(self, key: _KeyT, make: Callable[[], _ValueT]) -> _ValueT:
        """Return the value of ``key``, made now if it is not remembered."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
                with self._lock:
                    self._values[key] = value
                    while len(self._values) > self._size:
                        self._values.popitem(last=False)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value


@contextmanager
def _duckdb_errors() -> Iterator[None]:
    """Turn DuckDB's errors into the port's.

    Raises:
        QueryRefusedError: The query does not compute, or needs too much memory.
        QueryUnavailableError: It was interrupted.
        SnapshotGoneError: A file cannot be read.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise QueryUnavailableError("The query took too long; narrow it, then ask again.") from error
    except duckdb.OutOfMemoryException as error:
        raise QueryRefusedError("The query needs more memory than one question may use.") from error
    except (duckdb.IOException, duckdb.PermissionException) as error:
        # To DuckDB a path that was allowed, and is gone, is one that was never allowed.
        raise SnapshotGoneError from error
    except duckdb.Error as error:
        first_line = str(error).partition("\n")[0]
        raise QueryRefusedError(f"The query cannot be computed: {first_line}") from error


def _row(row: tuple[object, ...]) -> tuple[Value, ...]:
    return tuple(_value(value) for value in row)


def _value(value: object) -> Value:
    """Return a value of the port's types; times in UTC.

    Raises:
        QueryRefusedError: The query returns something else, e.g. a list.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if value is None or isinstance(value, Value):
        return value
    raise QueryRefusedError(f"A query returns plain values, not {type(value).__name__}.")
