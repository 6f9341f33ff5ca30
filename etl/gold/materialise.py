"""Compute the gold models: write into memory, audit, and only then commit to Iceberg.

Every model becomes exactly one snapshot that says which snapshots it was computed from.
The same SQL over the same snapshots is not computed again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from graphlib import TopologicalSorter
from pathlib import Path
from typing import ClassVar

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import ensure_table, load_table, summary
from etl.engine.types import iceberg_schema
from etl.errors import LakehouseError, OperatorError
from etl.gold import transforms
from etl.gold.compile import MODELS_FOLDER, CompiledModel, check_sql, compile_models, load_models
from etl.gold.duckdb_engine import DuckdbEngine
from etl.gold.engine import ModelEngine
from etl.gold.model import SILVER_SCHEMA, GoldModel
from etl.jobs.progress import Progress
from etl.ports.catalog import TableMissingError
from etl.quality.execute import CheckResult, blocking

FINGERPRINT = "lakeside.fingerprint"
"""Snapshot property: hash over the SQL, the contract and the input snapshots."""
INPUTS = "lakeside.inputs"
"""Snapshot property: JSON of input table to snapshot id."""
DEFINITION = "lakeside.definition"
"""Snapshot property: hash over the model as it is written, whatever it was computed from."""
AS_OF = "lakeside.as-of"
"""Snapshot property: source time at which the data stands, ISO 8601."""


class CheckFailedError(OperatorError):
    """New rows of a model break its checks, so the table keeps its last good version."""

    guidance: ClassVar[str] = "Run the check's SQL from the model file to see the rows, correct the cause, then retry."


class GoldIncompleteError(OperatorError):
    """Some models could not be brought up to date; all others were."""

    results: tuple[ModelResult, ...] = ()
    """What became of every model, in the order computed."""

    guidance: ClassVar[str] = (
        "Correct what the message names, then retry the run: models already done are not repeated."
    )


class Outcome(StrEnum):
    """What became of a model."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """Same SQL, same inputs: the table stands as it is."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It reads a model that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """One model in one run."""

    table: str
    outcome: Outcome
    rows: int = 0
    seconds: float = 0.0
    pin: TablePin | None = None
    """The table's version to read; None if the model failed or was skipped."""
    checks: tuple[CheckResult, ...] = ()
    problem: str | None = None


def materialise(
    lake: LakeConfig,
    progress: Progress,
    *,
    as_of: datetime | None = None,
    models_folder: Path = MODELS_FOLDER,
) -> tuple[ModelResult, ...]:
    """Bring every gold model up to date with silver as it is now, on DuckDB.

    Args:
        lake: The lake.
        progress: Told the models being computed, and how many are done.
        as_of: Source time at which silver stands; its latest commit time if None.
        models_folder: Where the model files are.

    Returns:
        One result for each model, in the order computed; all written or unchanged.

    Raises:
        ModelError: A model file is wrong; nothing was written.
        TableMissingError: Silver is empty; nothing was written.
        GoldIncompleteError: A model failed; what does not depend on it is up to date.
        CatalogUnavailableError: The catalog did not answer.
    """
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        return materialise_on(
            DuckdbEngine(connection),
            catalog,
            progress,
            as_of=as_of,
            models_folder=models_folder,
            threads=lake.threads,
        )


def materialise_on(
    engine: ModelEngine,
    catalog: Catalog,
    progress: Progress,
    *,
    as_of: datetime | None = None,
    models_folder: Path = MODELS_FOLDER,
    threads: int,
) -> tuple[ModelResult, ...]:
    """Do what `materialise` does, on any engine.

    Args:
        engine: What computes; nothing is shown in it yet.
        catalog: Of the lake.
        progress: As for `materialise`.
        as_of: As for `materialise`.
        models_folder: As for `materialise`.
        threads: Models that are computed side by side.

    Raises:
        Whatever `materialise` raises.
    """
    models = load_models(models_folder)
    silver = _silver_tables(catalog)
    columns = {name: tuple(field.name for field in table.schema().fields) for name, table in silver.items()}
    compiled = compile_models(models, silver=columns)
    shown = {f"{SILVER_SCHEMA}.{name}": table for name, table in silver.items()}
    engine.show(shown)
    as_of = as_of or engine.latest_commit([*shown])
    if as_of is None:
        raise TableMissingError("silver has no rows yet", table=SILVER_SCHEMA)
    run = _Run(catalog=catalog, engine=engine, silver=shown, as_of=as_of)
    results = _bring_up_to_date(run, compiled, progress, threads=threads)
    broken = [result for result in results if result.outcome in {Outcome.FAILED, Outcome.SKIPPED}]
    if broken:
        error = GoldIncompleteError(" ".join(f"{each.table} {each.outcome}: {each.problem}" for each in broken))
        error.results = results
        raise error
    return tuple(results)


def _bring_up_to_date(
    run: _Run, compiled: Sequence[CompiledModel], progress: Progress, *, threads: int
) -> tuple[ModelResult, ...]:
    """Bring the models up to date, each after those it reads, others side by side; return results in their order."""
    by_table = {model.model.table: model for model in compiled}
    order = TopologicalSorter(
        {table: [name for name in model.inputs if name in by_table] for table, model in by_table.items()}
    )
    order.prepare()
    results: dict[str, ModelResult] = {}
    running: dict[Future[ModelResult], str] = {}
    with ThreadPoolExecutor(threads, thread_name_prefix="gold") as pool:
        while order.is_active():
            running |= {pool.submit(run.bring_up_to_date, by_table[table]): table for table in order.get_ready()}
            progress.update(models=sorted(running.values()), done=len(results), of=len(by_table))
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                table = running.pop(future)
                results[table] = future.result()
                order.done(table)
    progress.update(models=[], done=len(results), of=len(by_table))
    return tuple(results[table] for table in by_table)


class _Run:
    """One pass over the models, each seeing what those it reads made."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        engine: ModelEngine,
        silver: Mapping[str, Table],
        as_of: datetime,
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._as_of = as_of
        self._snapshots = {name: _snapshot_id(table) for name, table in silver.items()}
        """Snapshot of every table that models may read; a gold table is missing from it until it is up to date."""

    def bring_up_to_date(self, compiled: CompiledModel) -> ModelResult:
        """Compute, check and commit one model, unless it stands already or cannot be computed.

        May run in several threads at once: each has a fork of the engine.
        """
        with self._engine.fork() as engine:
            return self._bring_up_to_date(compiled, engine)

    def _bring_up_to_date(self, compiled: CompiledModel, engine: ModelEngine) -> ModelResult:
        started = time.perf_counter()
        table_name = compiled.model.table
        missing = [name for name in compiled.inputs if name not in self._snapshots]
        if missing:
            problem = f"it reads {', '.join(missing)}"
            return ModelResult(table=table_name, outcome=Outcome.SKIPPED, problem=problem)
        fingerprint = self._fingerprint(compiled)
        checks: tuple[CheckResult, ...] = ()
        try:
            standing = self._standing(compiled, fingerprint)
            if standing is not None:
                engine.show({table_name: standing})
                return self._done(standing, Outcome.UNCHANGED, started, checks=())
            engine.compute(compiled, as_of=self._as_of)
            checks = self._audit(engine, compiled)
            _refuse_blocked(engine, compiled, checks)
            table = self._commit(engine, compiled, fingerprint)
        except LakehouseError as error:
            if not isinstance(error, OperatorError):
                raise
            seconds = time.perf_counter() - started
            return ModelResult(
                table=table_name, outcome=Outcome.FAILED, seconds=seconds, checks=checks, problem=str(error)
            )
        return self._done(table, Outcome.WRITTEN, started, checks=checks)

    def _fingerprint(self, compiled: CompiledModel) -> str:
        parts = [
            compiled.sql("duckdb", as_of=self._as_of),
            *(check_sql(check, "duckdb", as_of=self._as_of) for check in compiled.checks),
            *(f"{name}@{self._snapshots[name]}" for name in compiled.inputs),
            _definition(compiled.model),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _standing(self, compiled: CompiledModel, fingerprint: str) -> Table | None:
        """Return the table if its current snapshot is what would be computed, or a transform's that is young enough.

        A transform learns from months of data: a model of this morning is as good in the
        afternoon, so it is made anew when half of what it promises has passed.
        """
        try:
            table = load_table(self._catalog, compiled.model.table)
        except TableMissingError:
            return None
        found = summary(table)
        if found.get(FINGERPRINT) == fingerprint:
            return table
        if compiled.model.transform is None or found.get(DEFINITION) != _definition(compiled.model):
            return None
        age = self._as_of - datetime.fromisoformat(found[AS_OF])
        is_young = timedelta() <= age < timedelta(seconds=compiled.model.freshness_seconds) / 2
        return table if is_young else None

    def _audit(self, engine: ModelEngine, compiled: CompiledModel) -> tuple[CheckResult, ...]:
        """Run the model's checks on the rows about to be committed."""
        compares = any(check.check.volume for check in compiled.checks)
        history = self._row_history(compiled.model.table) if compares else ()
        return engine.check(compiled, as_of=self._as_of, history=history)

    def _row_history(self, table_name: str) -> tuple[int, ...]:
        """Return the row counts of the table's snapshots, oldest first."""
        try:
            table = load_table(self._catalog, table_name)
        except TableMissingError:
            return ()
        summaries = [snapshot.summary for snapshot in table.snapshots() if snapshot.summary]
        return tuple(int(each.additional_properties.get("total-records", 0)) for each in summaries)

    def _commit(self, engine: ModelEngine, compiled: CompiledModel, fingerprint: str) -> Table:
        """Replace the table's rows in one snapshot."""
        model = compiled.model
        schema = iceberg_schema((column.name, column.type) for column in model.columns)
        table = ensure_table(self._catalog, model.table, schema, partition_by=model.partition_by)
        _evolve(table, model)
        properties = {
            FINGERPRINT: fingerprint,
            DEFINITION: _definition(model),
            INPUTS: json.dumps({name: self._snapshots[name] for name in compiled.inputs}),
            AS_OF: self._as_of.isoformat(),
        }
        engine.commit(table, compiled, properties)
        with catalog_errors():
            return table.refresh()

    def _done(self, table: Table, outcome: Outcome, started: float, *, checks: Sequence[CheckResult]) -> ModelResult:
        name = ".".join(table.name())
        snapshot_id = _snapshot_id(table)
        self._snapshots[name] = snapshot_id
        snapshot = table.current_snapshot()
        assert snapshot is not None
        assert snapshot.summary is not None
        rows = int(snapshot.summary.additional_properties.get("total-records", 0))
        return ModelResult(
            table=name,
            outcome=outcome,
            rows=rows,
            seconds=time.perf_counter() - started,
            pin=TablePin(table=name, metadata_location=table.metadata_location, snapshot_id=snapshot_id, rows=rows),
            checks=tuple(checks),
        )


def _refuse_blocked(engine: ModelEngine, compiled: CompiledModel, checks: Sequence[CheckResult]) -> None:
    """Drop the new rows if a blocking check found any that break it.

    Raises:
        CheckFailedError: One did.
    """
    failed = blocking(checks)
    if failed:
        engine.drop(compiled.model.table)
        raise CheckFailedError(f"{compiled.model.table} keeps its last good version: {failed} failed")


def _definition(model: GoldModel) -> str:
    version = transforms.load(model.transform).VERSION if model.transform else ""
    parts = [version, model.query.sql("duckdb"), *(f"{name} {kind}" for name, kind in model.selected)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _silver_tables(catalog: Catalog) -> dict[str, Table]:
    """Return silver's tables at their current snapshots, by bare name."""
    with catalog_errors():
        names = [name for _, name in catalog.list_tables(SILVER_SCHEMA)] if _has_silver(catalog) else []
    if not names:
        raise TableMissingError("silver has no tables yet", table=SILVER_SCHEMA)
    return {name: load_table(catalog, f"{SILVER_SCHEMA}.{name}") for name in sorted(names)}


def _has_silver(catalog: Catalog) -> bool:
    return (SILVER_SCHEMA,) in catalog.list_namespaces()


def _snapshot_id(table: Table) -> int:
    """Return the table's current snapshot; 0 stands for a table nothing was ever committed to."""
    snapshot = table.current_snapshot()
    return snapshot.snapshot_id if snapshot else 0


def _evolve(table: Table, model: GoldModel) -> None:
    """Give the table the model's columns; a column of another type is replaced by a new one.

    Older snapshots keep their schema, so publications that pin them are not disturbed.
    """
    wanted = {
        field.name: field.field_type
        for field in iceberg_schema((each.name, each.type) for each in model.columns).fields
    }
    present = {field.name: field.field_type for field in table.schema().fields}
    if present == wanted:
        return
    with catalog_errors(), table.update_schema(allow_incompatible_changes=True) as update:
        for name, kind in present.items():
            if wanted.get(name) != kind:
                update.delete_column(name)
    with catalog_errors(), table.update_schema() as update:
        for name, kind in wanted.items():
            if present.get(name) != kind:
                update.add_column(name, kind)
