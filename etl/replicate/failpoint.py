"""Named moments in the replicator's work at which a test may stop it.

The replicator is given a function and calls it with the name of each moment it passes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Moment(StrEnum):
    """Moments between which a crash differs."""

    RECEIVED = "received"
    """Messages were received; nothing of them is kept."""
    MID_TRANSACTION = "mid transaction"
    """A transaction's beginning was received, not its end."""
    MID_FILE = "mid file"
    """Rows were written to a file that is not visible yet."""
    FILE_DURABLE = "file durable"
    """One of the flush's files is durable and visible by name."""
    FILES_DURABLE = "files durable"
    """All of them are, without their manifest."""
    COMMITTED = "committed"
    """The manifest is durable; the slot does not know yet."""
    CONFIRMED = "confirmed"
    """The slot was told."""
    CONTRACT_RECORDED = "contract recorded"
    """A table's new shape was recorded, before any row under it."""
    SLOT_CREATED = "slot created"
    """The slot exists, its load does not."""


Failpoint = Callable[[Moment], None]
"""Called at each moment; returns, or never does."""


def ignore(_moment: Moment) -> None:
    """Go on: nobody tests."""
