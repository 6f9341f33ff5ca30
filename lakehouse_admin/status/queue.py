"""The runs that have not ended, in the order in which they get the lake, and who has it now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Value, When

from lakehouse_admin.lease import LAKE
from lakehouse_admin.models import Lease, PipelineRun
from lakehouse_admin.states import RunState

_FIRST = {RunState.RUNNING: 0, RunState.CANCELLING: 1, RunState.QUEUED: 2, RunState.WAITING: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who writes the lake, and who is next."""

    holder: str
    """Empty if nobody writes it."""
    runs: tuple[PipelineRun, ...]


def queue(*, now: datetime) -> Queue:
    """Look at the queue: two queries."""
    order = Case(
        *(When(state=state, then=Value(place)) for state, place in _FIRST.items()), output_field=IntegerField()
    )
    runs = PipelineRun.objects.active().select_related("requested_by").order_by(order, "-priority", "id")
    lease = Lease.objects.filter(name=LAKE, expires_at__gt=now).first()
    return Queue(holder=lease.holder if lease else "", runs=tuple(runs))


def queue_document(found: Queue) -> dict[str, object]:
    """Return the queue as a JSON-ready document."""
    return {
        "lake_is_written_by": found.holder or None,
        "runs": [
            {
                "run": run.pk,
                "state": run.state,
                "trigger": run.trigger,
                "priority": run.priority,
                "tables": run.tables,
                "requested_at": run.requested_at.isoformat(),
            }
            for run in found.runs
        ],
    }
