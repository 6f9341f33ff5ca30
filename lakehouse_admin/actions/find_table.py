"""Find the state of a source table, locked, or say that there is none of that name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from django.conf import settings

from etl.contracts.table import TableId
from etl.errors import OperatorError
from lakehouse_admin.models import Pipeline, PipelineRun, TableState
from lakehouse_admin.states import LEFT_OUT, NOT_FOLLOWED


class TableUnknownError(OperatorError):
    """No table of that name is selected."""

    guidance: ClassVar[str] = "`manage.py lakehouse tables` lists them; LAKEHOUSE_SOURCE_TABLES selects them."


class AllTablesLeftOutError(OperatorError):
    """Every table is paused, left out or removed."""

    guidance: ClassVar[str] = "Resume or resync at least one: `manage.py lakehouse tables` lists them."


def selected_tables(pipeline: Pipeline) -> tuple[TableId, ...]:
    """Return the tables of a pipeline, those left out among them."""
    return tuple(TableId.parse(name) for name in pipeline.tables or settings.LAKEHOUSE.source_tables)


def register_tables(tables: Iterable[TableId], *, now: datetime) -> None:
    """Make a row for every table that has none. Idempotent."""
    names = {str(table) for table in tables}
    known = set(TableState.objects.filter(table__in=names).values_list("table", flat=True))
    TableState.objects.bulk_create(
        [TableState(table=name, state_since=now) for name in sorted(names - known)], ignore_conflicts=True
    )


def tables_of(run: PipelineRun) -> tuple[TableId, ...]:
    """Return the tables that a run loads: its own, or the pipeline's without those left out.

    Raises:
        AllTablesLeftOutError: None is left.
    """
    if run.tables:
        return tuple(TableId.parse(name) for name in run.tables)
    left_out = set(TableState.objects.filter(state__in=LEFT_OUT).values_list("table", flat=True))
    tables = tuple(table for table in selected_tables(run.pipeline) if str(table) not in left_out)
    if not tables:
        raise AllTablesLeftOutError
    return tables


def tables_not_followed() -> frozenset[TableId]:
    """Return the tables whose changes must not be applied to silver now."""
    names = TableState.objects.filter(state__in=NOT_FOLLOWED).values_list("table", flat=True)
    return frozenset(TableId.parse(name) for name in names)


def locked_table(name: str, *, now: datetime) -> TableState:
    """Return a table's state, its row locked until the current transaction ends.

    Raises:
        TableUnknownError: No selected table has this name, and none that was.
    """
    table = TableId.parse(name)
    if table in selected_tables(Pipeline.objects.default()):
        register_tables([table], now=now)
    found = TableState.objects.select_for_update().filter(table=str(table)).first()
    if found is None:
        raise TableUnknownError(f"No table {name} is selected.")
    return found
