"""What a run would do, before it does it: tables, rows, bytes, models, seconds and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from etl.contracts.table import TableId
from lakehouse_admin.actions.find_table import selected_tables, tables_of
from lakehouse_admin.costs.estimate import Estimate, estimate
from lakehouse_admin.costs.prices import PriceBook
from lakehouse_admin.costs.record import moved_by
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord, StageRun, TableResult
from lakehouse_admin.states import DATA_STAGES, RunState, Stage, StageState
from lakehouse_admin.status.promises import promised_seconds
from lakehouse_admin.status.replication import Replication

_HISTORY = 5
"""How many earlier attempts an estimate rests on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """One table of the run; rows and bytes as its newest load had them, None before the first."""

    table: str
    rows: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One stage; seconds from earlier runs of the same tables, None without any."""

    stage: Stage
    seconds: float | None
    from_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run that nobody has asked for yet."""

    pipeline: Pipeline
    tables: tuple[TablePlan, ...]
    left_out: tuple[str, ...]
    window: tuple[int, int] | None
    """Positions of the source's log between what readers see and what bronze holds; None if bronze is not followed."""
    models: tuple[str, ...]
    publication: int
    """The number that the run's publication would get."""
    stages: tuple[StagePlan, ...]
    waits_behind: tuple[PipelineRun, ...]
    cost: Estimate

    @property
    def rows(self) -> int | None:
        """Rows of all tables; None if one is not known."""
        return _sum([table.rows for table in self.tables])

    @property
    def size_bytes(self) -> int | None:
        """Bytes of all tables in bronze; None if one is not known."""
        return _sum([table.size_bytes for table in self.tables])

    @property
    def seconds(self) -> float | None:
        """The stages in order, those side by side counted once; None if one is not known."""
        known = {each.stage: each.seconds for each in self.stages}
        if any(seconds is None for seconds in known.values()):
            return None
        side_by_side = max(known[Stage.QUALITY] or 0, known[Stage.GOLD] or 0)
        return side_by_side + sum(known[stage] or 0 for stage in (Stage.REPLICATE, Stage.SILVER, Stage.PUBLISH))


def plan_run(pipeline: Pipeline, *, replication: Replication, prices: PriceBook, tables: Sequence[str] = ()) -> Plan:
    """Look at what a run of the pipeline, or of some of its tables, would do now. Changes nothing.

    Raises:
        AllTablesLeftOutError: It would load none.
    """
    run = PipelineRun(pipeline=pipeline, tables=[str(TableId.parse(name)) for name in tables])
    loaded = tables_of(run)
    newest = PublicationRecord.objects.first()
    known = [_newest_result(table) for table in loaded]
    plans = tuple(_table(table, result) for table, result in zip(loaded, known, strict=True))
    models = tuple(promised_seconds())
    stages = tuple(_stage(stage, run.tables) for stage in DATA_STAGES)
    moved = replication.durable_lsn > newest.source_lsn if newest else False
    return Plan(
        pipeline=pipeline,
        tables=plans,
        left_out=() if tables else tuple(str(each) for each in selected_tables(pipeline) if each not in loaded),
        window=(newest.source_lsn, replication.durable_lsn) if newest and moved else None,
        models=models,
        publication=newest.number + 1 if newest else 1,
        stages=stages,
        waits_behind=tuple(PipelineRun.objects.active().exclude(state=RunState.WAITING).order_by("-priority", "id")),
        cost=estimate(
            {each.stage: each.seconds or 0 for each in stages},
            moved_by([result for result in known if result], models=len(models)),
            prices,
        ),
    )


def plan_document(plan: Plan) -> dict[str, object]:
    """Return a plan as a JSON-ready document."""
    return {
        "pipeline": plan.pipeline.key,
        "tables": [{"table": each.table, "rows": each.rows, "size_bytes": each.size_bytes} for each in plan.tables],
        "left_out": list(plan.left_out),
        "rows": plan.rows,
        "size_bytes": plan.size_bytes,
        "new_in_bronze": None if plan.window is None else {"after_lsn": plan.window[0], "until_lsn": plan.window[1]},
        "gold_models": list(plan.models),
        "publication": plan.publication,
        "stages": [
            {"stage": each.stage.value, "seconds": each.seconds, "from_runs": each.from_runs} for each in plan.stages
        ],
        "seconds": plan.seconds,
        "waits_behind": [run.pk for run in plan.waits_behind],
        "cost": {
            "amount": f"{plan.cost.amount:f}",
            "currency": plan.cost.prices.currency,
            "charged": plan.cost.prices.is_charged,
            "prices": plan.cost.prices.origin,
        },
    }


def _newest_result(table: TableId) -> TableResult | None:
    return TableResult.objects.filter(table=table.lake_name, bronze_rows__isnull=False).order_by("-run_id").first()


def _table(table: TableId, newest: TableResult | None) -> TablePlan:
    return TablePlan(
        table=str(table),
        rows=newest.bronze_rows if newest else None,
        size_bytes=newest.bronze_bytes if newest else None,
    )


def _stage(stage: Stage, tables: list[Any]) -> StagePlan:
    done = StageRun.objects.filter(
        stage=stage, state=StageState.SUCCEEDED, started_at__isnull=False, run__tables=tables
    ).order_by("-id")[:_HISTORY]
    seconds = [
        (each.finished_at - each.started_at).total_seconds() for each in done if each.finished_at and each.started_at
    ]
    return StagePlan(stage=stage, seconds=median(seconds) if seconds else None, from_runs=len(seconds))


def _sum(numbers: Sequence[int | None]) -> int | None:
    return None if None in numbers else sum(number or 0 for number in numbers)
