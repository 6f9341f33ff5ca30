"""Named moments in silver's work at which a test may stop it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Moment(StrEnum):
    """Moments between which a crash differs."""

    EVOLVED = "evolved"
    """The table has the contract's columns; a new column's older rows may lack their value."""
    QUARANTINED = "quarantined"
    """The rejects are in quarantine, the other rows not in silver."""
    FILES_WRITTEN = "files written"
    """Files of rows and of position deletes are there; no snapshot names them."""
    TOMBSTONES_COMMITTED = "tombstones committed"
    """The tombstones say that keys are gone which silver still has."""
    COMMITTED = "committed"
    """The snapshot is there; whoever asked does not know yet."""


Failpoint = Callable[[Moment], None]
"""Called at each moment; returns, or never does."""


def ignore(_moment: Moment) -> None:
    """Go on: nobody tests."""
