"""Settle tables: what a run's end means for the tables it loaded."""

from __future__ import annotations

from datetime import datetime

from etl.contracts.table import TableId
from lakehouse_admin.actions.change_table import fail_table, move_table
from lakehouse_admin.actions.find_table import locked_table, register_tables
from lakehouse_admin.models import PipelineRun, TableState
from lakehouse_admin.states import Reconciliation, RunState, TablePhase, Trigger

_TAKEN_UP = (TablePhase.LOADING, TablePhase.RESYNCING, TablePhase.FAILED)


def settle_tables(run: PipelineRun, *, now: datetime) -> None:
    """Take up the tables that a run proved equal; fail those whose resync it was and did not end well.

    The caller holds the run, in the transaction that ends it.
    """
    if run.state == RunState.SUCCEEDED:
        _follow(run, now)
    elif run.trigger == Trigger.RESYNC:
        reason = run.error_message or f"{run} was cancelled before the table was loaded."
        guidance = run.guidance or "Resync the table again, or leave it out."
        for name in run.tables:
            fail_table(name, reason=reason, guidance=guidance, now=now)


def _follow(run: PipelineRun, now: datetime) -> None:
    equal = run.table_results.filter(reconciliation=Reconciliation.EQUAL).values_list("table", flat=True)
    tables = {_source_table(name) for name in equal}
    register_tables(tables, now=now)
    names = sorted(str(table) for table in tables)
    TableState.objects.filter(table__in=names).update(source_lsn=run.source_lsn, reconciled_at=now)
    for name in TableState.objects.filter(table__in=names, state__in=_TAKEN_UP).values_list("table", flat=True):
        state = locked_table(name, now=now)
        move_table(state, to=TablePhase.FOLLOWING, action="table_followed", now=now, actor=str(run))


def _source_table(lake_name: str) -> TableId:
    schema, found, name = lake_name.partition("__")
    return TableId(schema=schema, name=name) if found else TableId.parse(lake_name)
