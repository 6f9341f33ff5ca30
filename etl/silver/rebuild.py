"""What bronze, and what silver, says the tables were at one position of the source's log.

Both are worked out in a scratch catalog, by the code that keeps silver, so that no reader
sees anything of it: from bronze alone, by its newest load and every change since; from
silver, by a fork of its tables and the changes that they have not got yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchNamespaceError

from etl.bronze.manifest import Gap, LoadManifest
from etl.bronze.reader import verify
from etl.bronze.window import ChangeLog
from etl.contracts.table import TableId
from etl.engine.catalog import catalog_errors
from etl.engine.scratch import fork
from etl.errors import LakehouseError, OperatorError
from etl.ports.object_store import ObjectStore
from etl.replicate.changes import newest_loads
from etl.silver.applier import ChangeApplier
from etl.silver.apply import apply_load
from etl.silver.load import loaded_table
from etl.silver.quarantine import find_quarantine, quarantine_name
from etl.silver.replay import replay
from etl.silver.table import SILVER, SilverTable

_FLUSHES = 256
"""Flushes that are applied at once: a bound on what is held in memory, however long ago a load was."""


class NotInBronzeError(OperatorError):
    """Bronze has no full load of a table."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync <table>`: it loads the table."


class ChangesLeftOutError(OperatorError):
    """Changes of a table are missing from bronze, because they could not be carried."""

    guidance: ClassVar[str] = "Run `manage.py lakehouse resync <table>` once the cause is mended."


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Tables as one layer of the lake says they were, in a scratch catalog; or why it cannot say it."""

    tables: Mapping[TableId, SilverTable]
    problems: Mapping[TableId, LakehouseError]
    """Of the tables that are not among the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSilver:
    """Silver's tables as they were at one moment; they stay so while others write."""

    tables: Mapping[TableId, SilverTable]
    problems: Mapping[TableId, LakehouseError]
    hints: Mapping[str, str]
    """Properties of the namespace: how far tables are complete beyond what their snapshots say."""


def pin_silver(catalog: Catalog, tables: Iterable[TableId]) -> PinnedSilver:
    """Open tables as they are now.

    Raises:
        CatalogUnavailableError: No answer.
    """
    hints: dict[str, str] = {}
    with catalog_errors(), suppress(NoSuchNamespaceError):
        # First: what they say of an older snapshot is true of a newer one.
        hints = dict(catalog.load_namespace_properties(SILVER))
    found: dict[TableId, SilverTable] = {}
    problems: dict[TableId, LakehouseError] = {}
    for table in tables:
        try:
            found[table] = SilverTable(catalog, table.lake_name)
        except OperatorError as error:
            problems[table] = error
    return PinnedSilver(tables=found, problems=problems, hints=hints)


def from_bronze(
    catalog: SqlCatalog,
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    tables: Sequence[TableId],
    *,
    slot: str,
    lsn: int,
) -> Layer:
    """Work out what bronze says the tables were when the transactions that ended up to ``lsn`` had.

    Args:
        catalog: A scratch catalog.
        connection: A DuckDB session that may read bronze and write the scratch folder.
        store: Bronze, complete up to ``lsn``.
        tables: Which tables.
        slot: Whose changes continue the loads; empty if nothing does.
        lsn: The position.

    Raises:
        StoreUnavailableError: Bronze did not answer.
        MemoryExhaustedError: DuckDB ran out of its memory limit.
        StoreFullError: No room for the scratch tables.
    """
    problems: dict[TableId, LakehouseError] = {}
    for table, load in _loads(store, tables, slot, lsn).items():
        if load is None:
            problems[table] = NotInBronzeError(f"Bronze has no full load of {table}.")
            continue
        try:
            loaded = loaded_table(store, load, table)
            verify(store, loaded.files)
            apply_load(catalog, connection, loaded)
        except OperatorError as error:
            problems[table] = error
    loaded_tables = [table for table in tables if table not in problems]
    problems |= _catch_up(catalog, connection, store, loaded_tables, slot=slot, lsn=lsn)
    found = {table: SilverTable(catalog, table.lake_name) for table in loaded_tables if table not in problems}
    for table, rebuilt in found.items():
        if rebuilt.rejects:  # A row that did not fit its column may fit the wider one that the column became.
            replay(rebuilt, catalog, connection, store, table)
    return Layer(tables=found, problems=problems)


def from_silver(
    catalog: SqlCatalog,
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    pinned: PinnedSilver,
    *,
    live: Catalog,
    slot: str,
    lsn: int,
) -> Layer:
    """Work out what silver says the tables were at ``lsn``: as pinned, with the changes that they lack until then.

    Args:
        catalog: A scratch catalog.
        connection: As `from_bronze` takes it.
        store: Bronze, complete up to ``lsn``.
        pinned: Silver from before ``lsn``.
        live: Silver's own catalog.
        slot: Whose changes; empty if nothing continues the loads.
        lsn: The position.

    Raises:
        Whatever `from_bronze` raises.
    """
    for table, silver in pinned.tables.items():
        fork(silver.table, catalog, f"{SILVER}.{table.lake_name}")
        quarantine = find_quarantine(live, table.lake_name)
        if quarantine is not None:
            fork(quarantine, catalog, quarantine_name(table.lake_name))
    if pinned.tables and pinned.hints:
        catalog.update_namespace_properties(SILVER, updates=dict(pinned.hints))
    problems = dict(pinned.problems)
    problems |= _catch_up(catalog, connection, store, list(pinned.tables), slot=slot, lsn=lsn)
    found = {table: SilverTable(catalog, table.lake_name) for table in pinned.tables if table not in problems}
    return Layer(tables=found, problems=problems)


def _loads(store: ObjectStore, tables: Sequence[TableId], slot: str, lsn: int) -> dict[TableId, LoadManifest | None]:
    """Return each table's newest load up to a position."""
    found: dict[TableId, LoadManifest | None] = dict.fromkeys(tables)
    for load in newest_loads(store):
        if load.lsn > lsn or load.slot not in {slot, ""}:
            continue
        for table in load.tables:
            if table in found and found[table] is None:
                found[table] = load
        if all(found.values()):
            break
    return found


def _catch_up(
    catalog: SqlCatalog,
    connection: duckdb.DuckDBPyConnection,
    store: ObjectStore,
    tables: Collection[TableId],
    *,
    slot: str,
    lsn: int,
) -> dict[TableId, LakehouseError]:
    """Apply to the scratch tables what bronze has up to ``lsn``; return why that was not possible, by table.

    Raises:
        LakehouseError: It concerns more than single tables.
    """
    if not slot or not tables:
        return {}
    failed: dict[TableId, LakehouseError] = {}
    gaps: tuple[Gap, ...] = ()
    # One thread: the scratch catalog is a file. DuckDB has its own.
    with ChangeApplier(catalog, connection, store, slot=slot, tables=tables, threads=1, until_lsn=int(lsn)) as applier:
        # From the one that is furthest behind, in windows of bounded size; the others know what they have.
        log = ChangeLog(store, slot=slot, after_lsn=min(applier.complete().values(), default=lsn))
        while True:
            try:
                window = log.read(through_lsn=lsn, most=_FLUSHES)
            except OperatorError as error:
                return dict.fromkeys(tables, error)
            others = set(window.tables).difference(tables)
            for outcome in applier.apply(window, leave_out=others | failed.keys()):
                if isinstance(outcome.error, OperatorError):
                    failed[outcome.table] = outcome.error
                elif outcome.error is not None:
                    raise outcome.error
            if not window.manifests:
                break
            gaps = window.manifests[-1].gaps
    return failed | _left_out(store, gaps, tables, lsn)


def _left_out(
    store: ObjectStore, gaps: Iterable[Gap], tables: Collection[TableId], lsn: int
) -> dict[TableId, LakehouseError]:
    """Return the tables of which changes up to a position are missing, and that no load has mended."""
    return {
        gap.table: ChangesLeftOutError(f"Bronze lacks changes of {gap.table}: {gap.message}")
        for gap in gaps
        if gap.table in tables and gap.first_lsn <= lsn and not _is_mended(store, gap, lsn)
    }


def _is_mended(store: ObjectStore, gap: Gap, lsn: int) -> bool:
    return any(gap.table in load.tables and gap.last_lsn <= load.lsn <= lsn for load in newest_loads(store))
