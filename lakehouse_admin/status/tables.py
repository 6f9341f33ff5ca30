"""Where every table stands, with what the replicator says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etl.replicate.status import Standing
from lakehouse_admin.actions.find_table import register_tables, selected_tables
from lakehouse_admin.models import Pipeline, TableState
from lakehouse_admin.states import TablePhase
from lakehouse_admin.status.replication import Replication


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLine:
    """One table, for a list."""

    table: TableState
    is_moving: bool
    """Whether changes of it reach silver now, as far as can be told."""
    trouble: str
    """What is wrong with it, if anything: one sentence."""
    guidance: str


def table_lines(pipeline: Pipeline, replication: Replication, *, now: datetime) -> tuple[TableLine, ...]:
    """Return every table's line; a table that was just selected gets its row first."""
    register_tables(selected_tables(pipeline), now=now)
    troubles = {each.table: each for each in replication.tables}
    stalls = replication.standing not in {Standing.WELL, Standing.ABSENT}
    lines = []
    for state in TableState.objects.all():
        trouble = troubles.get(state.table)
        follows = state.state == TablePhase.FOLLOWING
        message = trouble.message if trouble else state.reason
        if follows and stalls and not message:
            message = f"The replicator is {replication.standing}. {replication.message}".rstrip()
        lines.append(
            TableLine(
                table=state,
                is_moving=follows and not stalls and trouble is None,
                trouble=message,
                guidance=trouble.guidance if trouble else state.guidance,
            )
        )
    return tuple(lines)


def table_document(line: TableLine) -> dict[str, object]:
    """Return a line as a JSON-ready document."""
    state = line.table
    return {
        "table": state.table,
        "state": state.state,
        "since": state.state_since.isoformat(),
        "moving": line.is_moving,
        "reason": line.trouble or None,
        "guidance": line.guidance or None,
        "source_lsn": state.source_lsn,
        "reconciled_at": state.reconciled_at.isoformat() if state.reconciled_at else None,
    }
