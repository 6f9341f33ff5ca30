"""Bring all of gold up to date on Spark: the same models, checks and properties as `etl.gold.refresh` has on DuckDB.

A model that does not stand is computed whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path

from pyiceberg.table import Table

from etl.contracts.publication import TablePin
from etl.engine.spark import SparkLake
from etl.engine.tables import ensure_table, load_table, summary
from etl.engine.types import iceberg_schema
from etl.errors import OperatorError
from etl.gold.as_of import as_of_use, representative
from etl.gold.compile import MODELS_FOLDER, CompiledModel, compile_models, load_models
from etl.gold.inputs import snapshot_id
from etl.gold.materialise import silver_tables
from etl.gold.model import SILVER_SCHEMA
from etl.gold.refresh import AS_OF, DEFINITION, INPUTS, definition, evolve, refuse_blocked, row_history
from etl.gold.results import ModelResult, Outcome, complete
from etl.gold.spark_engine import SparkEngine
from etl.jobs.progress import Progress
from etl.ports.catalog import TableMissingError
from etl.quality.execute import CheckResult

_MODELS_AT_ONCE = 4
"""Spark fills its workers with several models' tasks; more at once would only queue."""


def materialise_on_spark(
    lake: SparkLake, progress: Progress, *, as_of: datetime | None = None, models_folder: Path = MODELS_FOLDER
) -> tuple[ModelResult, ...]:
    """Bring every gold model up to date with silver as it is now.

    Args:
        lake: The lake.
        progress: Told the models being computed, and how many are done.
        as_of: Source time at which silver stands; its latest commit time if None.
        models_folder: Where the model files are.

    Returns:
        One result for each model, in an order in which they can be computed; all of them stand.

    Raises:
        Whatever `etl.gold.materialise.materialise` raises.
        SparkUnavailableError: Spark or the store went away.
    """
    models = load_models(models_folder)
    silver = silver_tables(lake.catalog)
    columns = {name: tuple(field.name for field in table.schema().fields) for name, table in silver.items()}
    compiled = compile_models(models, silver=columns)
    shown = {f"{SILVER_SCHEMA}.{name}": table for name, table in silver.items()}
    engine = SparkEngine(lake)
    engine.show(shown)
    as_of = as_of or engine.latest_commit([*shown])
    if as_of is None:
        raise TableMissingError("silver has no rows yet", table=SILVER_SCHEMA)
    run = _Run(lake, engine, shown, as_of=as_of)
    by_table = {each.model.table: each for each in compiled}
    order = TopologicalSorter(
        {table: [name for name in each.inputs if name in by_table] for table, each in by_table.items()}
    )
    order.prepare()
    results: dict[str, ModelResult] = {}
    with ThreadPoolExecutor(_MODELS_AT_ONCE, thread_name_prefix="gold") as pool:
        while order.is_active():
            ready = order.get_ready()
            progress.update(models=sorted(ready), done=len(results), of=len(by_table))
            done = pool.map(run.bring_up_to_date, [by_table[table] for table in ready])
            results |= dict(zip(ready, done, strict=True))
            order.done(*ready)
    progress.update(models=[], done=len(results), of=len(by_table))
    return complete(tuple(results[table] for table in by_table))


class _Run:
    """One pass over the models, each seeing what those it reads made."""

    def __init__(self, lake: SparkLake, engine: SparkEngine, silver: Mapping[str, Table], *, as_of: datetime) -> None:
        self._lake = lake
        self._engine = engine
        self._as_of = as_of
        self._snapshots = {name: snapshot_id(table) for name, table in silver.items()}
        """Snapshot of every table that models may read; a gold table is missing from it until it is up to date."""

    def bring_up_to_date(self, compiled: CompiledModel) -> ModelResult:
        """Bring one model up to date, unless it stands already or cannot be computed.

        May run in several threads at once.
        """
        started = time.perf_counter()
        model = compiled.model
        checks: tuple[CheckResult, ...] = ()
        missing = [name for name in compiled.inputs if name not in self._snapshots]
        if missing:
            problem = f"it reads {', '.join(missing)}"
            return ModelResult(table=model.table, outcome=Outcome.SKIPPED, problem=problem)
        try:
            standing = self._standing(compiled)
            if standing is not None and (outcome := self._outcome(compiled, standing)) is not None:
                self._engine.show({model.table: standing})
                return self._done(standing, outcome, started)
            moment = representative(self._as_of, as_of_use(compiled))
            self._engine.compute(compiled, as_of=moment)
            checks = self._engine.check(compiled, as_of=moment, history=row_history(standing) if standing else ())
            try:
                refuse_blocked(compiled, checks)
            except OperatorError:
                self._engine.drop(model.table)
                raise
            table = self._commit(compiled)
        except OperatorError as error:
            seconds = time.perf_counter() - started
            return ModelResult(
                table=model.table, outcome=Outcome.FAILED, seconds=seconds, checks=checks, problem=str(error)
            )
        return self._done(table, Outcome.WRITTEN, started, checks=checks)

    def _standing(self, compiled: CompiledModel) -> Table | None:
        """Return the model's table; None if it was never computed."""
        try:
            table = load_table(self._lake.catalog, compiled.model.table)
        except TableMissingError:
            return None
        return table if DEFINITION in summary(table) else None

    def _outcome(self, compiled: CompiledModel, standing: Table) -> Outcome | None:
        """Return what becomes of a table that is left as it is; None for one that has to be computed anew.

        A transform learns from months of data: a model of this morning is as good in the afternoon.
        """
        found = summary(standing)
        if found[DEFINITION] != definition(compiled):
            return None
        then, use = datetime.fromisoformat(found[AS_OF]), as_of_use(compiled)
        is_same_moment = representative(then, use) == representative(self._as_of, use)
        if is_same_moment and json.loads(found[INPUTS]) == self._inputs(compiled):
            return Outcome.UNCHANGED
        is_young = timedelta() <= self._as_of - then < timedelta(seconds=compiled.model.freshness_seconds) / 2
        return Outcome.DEFERRED if compiled.model.transform and is_young else None

    def _commit(self, compiled: CompiledModel) -> Table:
        """Replace the table's rows in one snapshot."""
        model = compiled.model
        schema = iceberg_schema((column.name, column.type) for column in model.columns)
        table = ensure_table(self._lake.catalog, model.table, schema, partition_by=model.partition_by)
        evolve(table, model)
        properties = {
            DEFINITION: definition(compiled),
            INPUTS: json.dumps(self._inputs(compiled)),
            AS_OF: self._as_of.isoformat(),
        }
        self._engine.commit(table, compiled, properties)
        return table

    def _inputs(self, compiled: CompiledModel) -> dict[str, int]:
        return {name: self._snapshots[name] for name in compiled.inputs}

    def _done(
        self, table: Table, outcome: Outcome, started: float, *, checks: Sequence[CheckResult] = ()
    ) -> ModelResult:
        name = ".".join(table.name()[-2:]).removeprefix(self._lake.database_prefix)
        self._snapshots[name] = snapshot_id(table)
        found = summary(table)
        rows = int(found.get("total-records", 0))
        return ModelResult(
            table=name,
            outcome=outcome,
            rows=rows,
            seconds=time.perf_counter() - started,
            pin=TablePin(
                table=name,
                metadata_location=table.metadata_location,
                snapshot_id=snapshot_id(table),
                rows=rows,
                as_of=found[AS_OF] if outcome is Outcome.DEFERRED else None,
            ),
            checks=tuple(checks),
        )
