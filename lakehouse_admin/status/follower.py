"""What the continuous follower last said of itself, and what to make of it. Absent is a valid answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from etl.replicate.status import Standing
from lakehouse_admin.lease import LAKE
from lakehouse_admin.models import FollowerState
from lakehouse_admin.states import FollowerPhase

SILENT = timedelta(minutes=2)
"""It writes every few seconds, but not within a cycle, and a cycle over a very large transaction takes its time."""

_STANDINGS = {
    FollowerPhase.WAITING: Standing.WAITING,
    FollowerPhase.FOLLOWING: Standing.WELL,
    FollowerPhase.YIELDING: Standing.WELL,
    FollowerPhase.FAILING: Standing.FAILED,
    FollowerPhase.STOPPED: Standing.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """The follower's row, judged at one moment."""

    standing: Standing
    phase: FollowerPhase | None = None
    written_at: datetime | None = None
    publication: int | None = None
    """Number of the last publication it made."""
    lag_bytes: int = 0
    message: str = ""
    guidance: str = ""
    failed_tables: Mapping[str, str] = field(default_factory=dict)
    """Why each does not go on, by ``schema.name``."""
    failed_models: Mapping[str, str] = field(default_factory=dict)
    """Why readers see an older version of each, by qualified name."""

    @property
    def sentence(self) -> str:
        """How it is, in a few words."""
        if self.standing is Standing.ABSENT or self.phase is None:
            return "Not started."
        said = self.phase.label if self.standing is not Standing.SILENT else f"Silent, was {self.phase.label.lower()}"
        return f"{said}. {self.message}".strip()


ABSENT = Follower(standing=Standing.ABSENT)


def follower_now(*, now: datetime) -> Follower:
    """Read what the follower last wrote: one indexed query.

    Args:
        now: The time (UTC).
    """
    state = FollowerState.objects.filter(name=LAKE).first()
    if state is None:
        return ABSENT
    phase = FollowerPhase(state.state)
    silent = phase is not FollowerPhase.STOPPED and now - state.written_at > SILENT
    return Follower(
        standing=Standing.SILENT if silent else _STANDINGS[phase],
        phase=phase,
        written_at=state.written_at,
        publication=state.publication,
        lag_bytes=state.lag_bytes,
        message=state.error_message,
        guidance=state.guidance,
        failed_tables=state.tables,
        failed_models=state.gold_models,
    )
