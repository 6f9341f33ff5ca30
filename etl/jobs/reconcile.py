"""Job: prove silver. It holds, of one full load, exactly what the source held, and its checks hold too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from etl.bronze.directory import DirectoryStore
from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from etl.quality.execute import CheckResult
from etl.quality.reconcile import TableComparison, compare_load, read_fingerprints
from etl.quality.suites import load_suites, open_silver, run_suites
from etl.silver.load import loaded_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """What the job needs to know."""

    lake: LakeConfig
    load_id: str
    """Names the `LoadManifest` in bronze, beside which the source's fingerprints stand."""
    checked: bool = False
    """Run the suites of silver's tables as well."""
    history: Mapping[str, Any] | None = None
    """Row counts of earlier published runs, oldest first, by table: what `volume` checks compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """What was found, table by table, in the load's order."""

    equal: bool
    tables: tuple[TableComparison, ...]
    checks: tuple[CheckResult, ...] = ()
    """Of every suite, in the suites' order."""


def run(arguments: Reconcile, progress: Progress, *, store: ObjectStore | None = None) -> ReconcileResult:
    """Compare every table of the load, then check silver as it stands; what is found is a result, not an error.

    Args:
        arguments: Which load, which lake.
        progress: Told ``equal`` of each finished table.
        store: Bronze, where it is not the folder ``<lake_uri>/bronze``.

    Raises:
        NotFingerprintedError: The load recorded no fingerprints of the source.
        ModelError: A suite is wrong; nothing was compared.
        CheckNotComputedError: The engine refused a check's SQL.
        LakehouseError: Whatever else `etl.quality.reconcile.compare_load` raises.
    """
    store = store or DirectoryStore(Path(arguments.lake.bronze_root))
    load = LoadManifest.from_json(store.get(load_manifest_key(arguments.load_id)))
    source = read_fingerprints(store, arguments.load_id)
    tables: list[TableComparison] = []
    checks: tuple[CheckResult, ...] = ()
    with open_catalog(arguments.lake) as catalog, duckdb_session(arguments.lake) as connection:
        silver = open_silver(catalog, connection) if arguments.checked else {}
        suites = load_suites(silver) if arguments.checked else ()
        for table in load.tables:
            contract = loaded_table(store, load, table).contract
            tables.append(compare_load(catalog, connection, contract, arguments.load_id, source[table]))
            progress.update(equal={each.table: each.equal for each in tables})
        if suites:
            history: Mapping[str, Sequence[int]] = arguments.history or {}
            checks = run_suites(connection, suites, as_of=datetime.fromisoformat(load.snapshot_at), history=history)
    return ReconcileResult(equal=all(each.equal for each in tables), tables=tuple(tables), checks=checks)
