"""The one way a state changes: an allowed move, compared and swapped in the database."""

from __future__ import annotations

from typing import Any, ClassVar

from etl.errors import LakehouseError, TransientError
from lakehouse_admin.models import Alert, Pipeline, PipelineRun, StageRun, TableState
from lakehouse_admin.states import (
    ALERT,
    PIPELINE,
    RUN,
    STAGE,
    TABLE,
    AlertState,
    Machine,
    PipelineState,
    RunState,
    StageState,
    TablePhase,
)

Stateful = Alert | Pipeline | PipelineRun | StageRun | TableState
State = AlertState | PipelineState | TablePhase | RunState | StageState

MACHINES: dict[type[Stateful], Machine[Any]] = {
    Alert: ALERT,
    Pipeline: PIPELINE,
    PipelineRun: RUN,
    StageRun: STAGE,
    TableState: TABLE,
}


class TransitionRefusedError(LakehouseError):
    """This state may not follow that one."""

    guidance: ClassVar[str] = "Reload the page: what you asked for is no longer possible in this state."


class StateChangedError(TransientError):
    """Someone else changed the state first."""

    guidance: ClassVar[str] = "Nothing was changed: look at the new state, then ask again if you still want to."


def transition(row: Stateful, *, to: State, **changes: object) -> None:
    """Move a row to another state, and set other fields in the same UPDATE.

    The UPDATE applies only if the row is still in the state that ``row`` was read in, so
    of two callers that decided on the same state one wins and the other is told.

    Raises:
        TransitionRefusedError: `lakehouse_admin.states` does not allow the move.
        StateChangedError: The row is no longer in the state it was read in.
    """
    machine = MACHINES[type(row)]
    before = type(machine.first)(row.state)
    if not machine.allows(before, to):
        message = f"{row} is {before.label.lower()} and cannot become {to.label.lower()}."
        raise TransitionRefusedError(message)
    swapped = type(row)._default_manager.filter(pk=row.pk, state=before).update(state=to, **changes)  # noqa: SLF001
    if not swapped:
        raise StateChangedError(f"{row} is no longer {before.label.lower()}.")
    for name, value in {"state": to, **changes}.items():
        setattr(row, name, value)
