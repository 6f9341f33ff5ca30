"""Bring gold models up to date with silver: recompute what changed, audit, and only then commit to Iceberg.

Every model's snapshot says which snapshots it was computed from. From there on the rule is:

- same definition, same inputs, same days: the table stands as it is;
- otherwise the tenants are found whose input rows changed since, or whose day ended, and
  the same SELECT runs over a lake that holds these tenants alone. Their partitions are
  replaced in one commit, all others stay. `GoldModel.incremental_key` is the promise that
  makes this equal to computing everything;
- everything is computed where that promise is not made, the definition changed, or it
  cannot be told what did.

A `Refresher` may live as long as its process: what it knows of tables stays true as long as
nobody else writes gold, and a commit fails if somebody did.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from graphlib import TopologicalSorter

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.contracts.publication import TablePin
from etl.engine.catalog import catalog_errors
from etl.engine.row_delta import RowDelta
from etl.engine.session import duckdb_errors
from etl.engine.sql import identifier, qualified
from etl.engine.tables import ensure_table, load_table, summary
from etl.engine.types import iceberg_schema
from etl.engine.write import table_write
from etl.errors import LakehouseError, OperatorError
from etl.gold import transforms
from etl.gold.as_of import AsOfUse, as_of_use, representative
from etl.gold.compile import CompiledModel, compile_models
from etl.gold.compute import compute
from etl.gold.failpoint import Failpoint, Moment, ignore
from etl.gold.inputs import FilePlans, Input, Tenants, snapshot_id
from etl.gold.model import MODEL_SCHEMA, SILVER_SCHEMA, TENANT_COLUMN, GoldModel
from etl.gold.results import CheckFailedError, ModelComputationError, ModelResult, Outcome
from etl.jobs.progress import Progress
from etl.ports.catalog import TableMissingError
from etl.quality.execute import CheckResult, blocking, run_checks

INPUTS = "lakeside.inputs"
"""Snapshot property: JSON of input table to snapshot id."""
DEFINITION = "lakeside.definition"
"""Snapshot property: hash over the model as it is written, whatever it was computed from."""
AS_OF = "lakeside.as-of"
"""Snapshot property: source time at which the data stands, ISO 8601."""

_TENANTS = f"{SILVER_SCHEMA}.tenants"
_SNAPSHOTS_KEPT = 32
"""Snapshots that a table's metadata names: what checks of row volume look back to, and little more. It is written
anew with every commit, and publications pin metadata files of their own."""
_PLAIN_ROWS = 1_000_000
"""Files of fewer rows are described without column statistics: readers choose files by tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What a model's table holds, and what it was last known to be up to date with."""

    table: Table
    definition: str
    inputs: Mapping[str, int]
    as_of: datetime
    owed: Tenants | None = frozenset()
    """Tenants whose rows changed before ``inputs``, while the model waited; None for everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What is found out about a model once."""

    definition: str
    use: AsOfUse


class Refresher:
    """Keeps the models' tables and plans between refreshes."""

    def __init__(
        self,
        catalog: Catalog,
        session: duckdb.DuckDBPyConnection,
        models: Sequence[GoldModel],
        *,
        threads: int,
        failpoint: Failpoint = ignore,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            catalog: Where the tables are.
            session: A DuckDB session that may read silver and write gold.
            models: All of them.
            threads: How many models may be computed side by side.
            failpoint: Told of each moment passed.
        """
        self.catalog = catalog
        self.session = session
        self.failpoint = failpoint
        self._models = models
        self._threads = threads
        self._compiled: tuple[CompiledModel, ...] = ()
        self._columns: Mapping[str, tuple[str, ...]] = {}
        self._standing: dict[str, _Standing] = {}
        self.prepared: Mapping[str, _Prepared] = {}
        """By table."""
        self.files = FilePlans()

    def forget(self) -> None:
        """Read tables anew at the next refresh: somebody else may have written them."""
        self._standing.clear()

    def refresh(
        self, silver: Mapping[str, Table], *, as_of: datetime, progress: Progress, patient: bool = False
    ) -> tuple[ModelResult, ...]:
        """Bring the models up to date, each after those it reads, others side by side.

        Args:
            silver: Its tables by bare name, at the snapshots to compute from.
            as_of: Source time at which silver stands.
            progress: Told the models being computed, and how many are done.
            patient: Leave models alone that are younger than half of what they promise.

        Returns:
            One result for each model, in an order in which they can be computed.

        Raises:
            ModelError: A model file is wrong; nothing was written.
            CommitConflictError: Somebody else writes gold.
            CatalogUnavailableError: The catalog did not answer.
        """
        compiled = self._compile(silver)
        inputs = {
            f"{SILVER_SCHEMA}.{name}": Input(name=f"{SILVER_SCHEMA}.{name}", table=table, files=self.files)
            for name, table in silver.items()
        }
        run = _Refresh(self, inputs, as_of=as_of, patient=patient)
        by_table = {each.model.table: each for each in compiled}
        order = TopologicalSorter(
            {table: [name for name in each.inputs if name in by_table] for table, each in by_table.items()}
        )
        order.prepare()
        results: dict[str, ModelResult] = {}
        running: dict[Future[ModelResult], str] = {}
        with ThreadPoolExecutor(self._threads, thread_name_prefix="gold") as pool:
            while order.is_active():
                running |= {pool.submit(run.bring_up_to_date, by_table[table]): table for table in order.get_ready()}
                progress.update(models=sorted(running.values()), done=len(results), of=len(by_table))
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    table = running.pop(future)
                    results[table] = future.result()
                    order.done(table)
        progress.update(models=[], done=len(results), of=len(by_table))
        return tuple(results[table] for table in by_table)

    def sources_of(self, table: str) -> frozenset[str]:
        """Return the silver tables, by qualified name, that a model's rows come from, through other models too."""
        inputs = {each.model.table: each.inputs for each in self._compiled}
        found: set[str] = set()
        to_follow = [table]
        while to_follow:
            for name in inputs.get(to_follow.pop(), ()):
                if name not in found:
                    found.add(name)
                    to_follow.append(name)
        return frozenset(name for name in found if name not in inputs)

    def standing(self, model: GoldModel) -> _Standing | None:
        """Return what is known of the model's table; None if it was never computed."""
        known = self._standing.get(model.table)
        if known is None:
            try:
                table = load_table(self.catalog, model.table)
            except TableMissingError:
                return None
            found = summary(table)
            if DEFINITION not in found:
                return None
            known = _Standing(
                table=table,
                definition=found[DEFINITION],
                inputs=json.loads(found[INPUTS]),
                as_of=datetime.fromisoformat(found[AS_OF]),
            )
            self._standing[model.table] = known
        return known

    def keep(self, model: GoldModel, standing: _Standing) -> None:
        """Remember what the model's table is up to date with."""
        self._standing[model.table] = standing

    def drop(self, model: GoldModel) -> None:
        """Read the model's table anew the next time."""
        self._standing.pop(model.table, None)

    def _compile(self, silver: Mapping[str, Table]) -> tuple[CompiledModel, ...]:
        columns = {name: tuple(field.name for field in table.schema().fields) for name, table in silver.items()}
        if not self._compiled or columns != self._columns:
            self._compiled, self._columns = compile_models(self._models, silver=columns), columns
            self.prepared = {
                each.model.table: _Prepared(definition=definition(each), use=as_of_use(each)) for each in self._compiled
            }
        return self._compiled


class _Refresh:
    """One pass over the models, each seeing what those it reads made."""

    def __init__(self, refresher: Refresher, inputs: dict[str, Input], *, as_of: datetime, patient: bool) -> None:
        self._refresher = refresher
        self._as_of = as_of
        self._patient = patient
        self._inputs = inputs
        """What models may read; a gold table is missing from it until it is up to date."""

    def bring_up_to_date(self, compiled: CompiledModel) -> ModelResult:
        """Bring one model up to date, unless it stands already or cannot be computed.

        May run in several threads at once: each has a cursor of its own on the session.
        """
        started = time.perf_counter()
        model = compiled.model
        checks: tuple[CheckResult, ...] = ()
        missing = [name for name in compiled.inputs if name not in self._inputs]
        if missing:
            problem = f"it reads {', '.join(missing)}"
            return ModelResult(table=model.table, outcome=Outcome.SKIPPED, problem=problem)
        try:
            standing = self._refresher.standing(model)
            if standing is not None and standing.definition != self._prepared(compiled).definition:
                standing = None
            with self._refresher.session.cursor() as connection:
                if standing is not None and self._may_wait(compiled, standing):
                    standing = self._owing(compiled, standing, connection)
                    return self._done(compiled, standing, Outcome.DEFERRED, started)
                touched = None if standing is None else self._touched(compiled, standing, connection)
                if standing is not None and touched is not None and not touched:
                    standing = self._current(compiled, standing.table)
                    return self._done(compiled, standing, Outcome.UNCHANGED, started)
                with self._workspace(compiled, touched, connection):
                    rows = _compute(connection, compiled, self._moment(compiled))
                    checks = self._audit(compiled, touched, connection)
                    refuse_blocked(compiled, checks)
                    self._refresher.failpoint(Moment.COMPUTED)
                    table = self._commit(connection, compiled, touched, rows=rows)
        except OperatorError as error:
            seconds = time.perf_counter() - started
            return ModelResult(
                table=model.table, outcome=Outcome.FAILED, seconds=seconds, checks=checks, problem=str(error)
            )
        except LakehouseError:
            self._refresher.drop(model)
            raise
        result = self._done(compiled, self._current(compiled, table), Outcome.WRITTEN, started, checks=checks)
        return replace(result, tenants=None if touched is None else len(touched))

    def _may_wait(self, compiled: CompiledModel, standing: _Standing) -> bool:
        """Tell whether the table is young enough to be left alone.

        A transform learns from months of data: a model of this morning is as good in the
        afternoon, so it waits even where nobody asks for patience.
        """
        model = compiled.model
        if model.is_live or not (self._patient or model.transform):
            return False
        return timedelta() <= self._as_of - standing.as_of < timedelta(seconds=model.freshness_seconds) / 2

    def _owing(self, compiled: CompiledModel, standing: _Standing, connection: duckdb.DuckDBPyConnection) -> _Standing:
        """Note whose rows changed while the model waits: the snapshots that tell may be forgotten before it is due."""
        tenants = self._tenants_by_input(compiled, standing, connection)
        owed = None if tenants is None or standing.owed is None else standing.owed | tenants
        return replace(standing, inputs=self._input_snapshots(compiled), owed=owed)

    def _touched(
        self, compiled: CompiledModel, standing: _Standing, connection: duckdb.DuckDBPyConnection
    ) -> Tenants | None:
        """Return the tenants whose rows may differ from those in the table; None for everybody's."""
        use = self._prepared(compiled).use
        found: set[int] = set()
        changes = [standing.owed, self._tenants_by_input(compiled, standing, connection)]
        if use is AsOfUse.MOMENT and standing.as_of != self._as_of:
            return None
        if use is AsOfUse.DAYS:
            changes.append(self._tenants_by_day(standing, connection))
        for tenants in changes:
            if tenants is None:
                return None
            found |= tenants
        return frozenset(found) if _is_by_tenant(compiled.model) or not found else None

    def _tenants_by_input(
        self, compiled: CompiledModel, standing: _Standing, connection: duckdb.DuckDBPyConnection
    ) -> Tenants | None:
        found: set[int] = set()
        for name in compiled.inputs:
            if name not in standing.inputs:
                return None
            tenants = self._inputs[name].tenants_changed_since(standing.inputs[name], connection)
            if tenants is None:
                return None
            found |= tenants
        return frozenset(found)

    def _tenants_by_day(self, standing: _Standing, connection: duckdb.DuckDBPyConnection) -> Tenants | None:
        """Return the tenants whose calendar day is not the one the table stands at."""
        before, now = (representative(moment, AsOfUse.DAYS) for moment in (standing.as_of, self._as_of))
        if before == now:
            return frozenset()
        if _TENANTS not in self._inputs:
            return None
        days = [f"CAST(TIMESTAMPTZ '{moment.isoformat()}' AT TIME ZONE timezone AS DATE)" for moment in (before, now)]
        rows = connection.execute(
            f"SELECT id FROM ({self._inputs[_TENANTS].relation()}) WHERE {days[0]} IS DISTINCT FROM {days[1]}"
        ).fetchall()
        return frozenset(tenant for (tenant,) in rows)

    def _audit(
        self, compiled: CompiledModel, tenants: Tenants | None, connection: duckdb.DuckDBPyConnection
    ) -> tuple[CheckResult, ...]:
        """Run the model's checks on the rows about to be committed; of some tenants alone they ask the same.

        Raises:
            CheckNotComputedError: The engine refused a check's SQL.
        """
        model = compiled.model
        compares = any(check.check.volume for check in compiled.checks)
        standing = self._refresher.standing(model) if compares else None
        elsewhere = 0
        if standing is not None and tenants is not None:
            files = self._refresher.files.of(standing.table).data_by_partition
            elsewhere = sum(file.record_count for of, those in files.items() if of not in tenants for file in those)
        return run_checks(
            connection,
            compiled.checks,
            table=model.table,
            key=model.grain,
            file=model.file,
            as_of=self._moment(compiled),
            history=row_history(standing.table) if standing is not None else (),
            rows_elsewhere=elsewhere,
        )

    @contextmanager
    def _workspace(
        self, compiled: CompiledModel, tenants: Tenants | None, connection: duckdb.DuckDBPyConnection
    ) -> Iterator[None]:
        """Open what the model reads, of some tenants alone if not None."""
        with _workspace(connection, compiled.model.name):
            for name in compiled.inputs:
                connection.execute(f"CREATE VIEW {qualified(name)} AS {self._inputs[name].relation(tenants)}")
            yield

    def _moment(self, compiled: CompiledModel) -> datetime:
        return representative(self._as_of, self._prepared(compiled).use)

    def _commit(
        self, connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, tenants: Tenants | None, *, rows: int
    ) -> Table:
        """Replace the table's rows, or those of some tenants, in one snapshot."""
        model = compiled.model
        standing = self._refresher.standing(model)
        if standing is None or tenants is None:
            schema = iceberg_schema((column.name, column.type) for column in model.columns)
            table = ensure_table(self._refresher.catalog, model.table, schema, partition_by=model.partition_by)
            evolve(table, model)
        else:
            table = standing.table
        live = self._refresher.files.of(table)
        if tenants is None:
            replaced = [*live.data, *live.deletes]
        else:
            replaced = [file for tenant in tenants for file in live.data_by_partition.get(tenant, ())]
        properties = {
            DEFINITION: self._prepared(compiled).definition,
            INPUTS: json.dumps(self._input_snapshots(compiled)),
            AS_OF: self._as_of.isoformat(),
        }
        with table_write(table, connection) as write:
            files = write.parquet(f"SELECT * FROM {qualified(model.table)}", bare_rows=_PLAIN_ROWS) if rows else ()
            self._refresher.failpoint(Moment.FILES_WRITTEN)
            delta = RowDelta(add=files, remove=replaced, properties=properties, expire=_expired(table))
            after = write.commit_delta(live, delta, is_settled=lambda _file: False)
        self._refresher.failpoint(Moment.COMMITTED)
        self._refresher.files.remember(table, after)
        return table

    def _input_snapshots(self, compiled: CompiledModel) -> dict[str, int]:
        return {name: self._inputs[name].snapshot_id for name in compiled.inputs}

    def _current(self, compiled: CompiledModel, table: Table) -> _Standing:
        """Return what is known of a table that has just been found, or made, up to date."""
        return _Standing(
            table=table,
            definition=self._prepared(compiled).definition,
            inputs=self._input_snapshots(compiled),
            as_of=self._as_of,
        )

    def _prepared(self, compiled: CompiledModel) -> _Prepared:
        return self._refresher.prepared[compiled.model.table]

    def _done(
        self,
        compiled: CompiledModel,
        standing: _Standing,
        outcome: Outcome,
        started: float,
        *,
        checks: Sequence[CheckResult] = (),
    ) -> ModelResult:
        name, table = compiled.model.table, standing.table
        self._refresher.keep(compiled.model, standing)
        self._inputs[name] = Input(name=name, table=table, files=self._refresher.files)
        rows = int(summary(table).get("total-records", 0))
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
                as_of=standing.as_of.isoformat() if outcome is Outcome.DEFERRED else None,
            ),
            checks=tuple(checks),
        )


def definition(compiled: CompiledModel) -> str:
    """Return a hash over everything in a model's file that its rows, or their acceptance, depend on."""
    model = compiled.model
    version = transforms.load(model.transform).VERSION if model.transform else ""
    parts = [
        version,
        model.query.sql("duckdb"),
        *(f"{name} {kind}" for name, kind in model.selected),
        *(f"{column.name} {column.type}" for column in model.columns),
        *(
            f"{check.check.name} {check.check.severity} {check.check.volume} {check.query.sql('duckdb')}"
            for check in compiled.checks
        ),
        f"partition {model.partition_by}",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _is_by_tenant(model: GoldModel) -> bool:
    """Tell whether the model promises that a tenant's rows depend on that tenant's rows alone."""
    return TENANT_COLUMN in model.incremental_key and model.partition_by == TENANT_COLUMN


@contextmanager
def _workspace(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[None]:
    """Give the cursor schemas ``silver`` and ``gold`` of its own, gone at the end; nothing in them reaches the lake."""
    database = identifier(f"work {name}")
    connection.execute(f"ATTACH ':memory:' AS {database}")
    try:
        connection.execute(f"USE {database}")
        connection.execute(f"CREATE SCHEMA {SILVER_SCHEMA}")
        connection.execute(f"CREATE SCHEMA {MODEL_SCHEMA}")
        yield
    finally:
        connection.execute("USE memory")
        connection.execute(f"DETACH {database}")


def _compute(connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, as_of: datetime) -> int:
    try:
        with duckdb_errors():
            return compute(connection, compiled, as_of=as_of)
    except duckdb.Error as error:
        first_line = str(error).partition("\n")[0]
        raise ModelComputationError(f"{compiled.model.file} cannot be computed: {first_line}") from error


def refuse_blocked(compiled: CompiledModel, checks: Sequence[CheckResult]) -> None:
    """Refuse new rows of which a blocking check found any that break it.

    Raises:
        CheckFailedError: One did.
    """
    failed = blocking(checks)
    if failed:
        raise CheckFailedError(f"{compiled.model.table} keeps its last good version: {failed} failed")


def row_history(table: Table) -> tuple[int, ...]:
    """Return the row counts of the table's snapshots, oldest first."""
    summaries = [snapshot.summary for snapshot in table.snapshots() if snapshot.summary]
    return tuple(int(each.additional_properties.get("total-records", 0)) for each in summaries)


def _expired(table: Table) -> tuple[int, ...]:
    """Return the snapshots that the table's metadata may forget: it is written anew with every commit."""
    by_age = sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number or 0)
    return tuple(snapshot.snapshot_id for snapshot in by_age[:-_SNAPSHOTS_KEPT])


def evolve(table: Table, model: GoldModel) -> None:
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
