"""Named moments in gold's work at which a test may stop it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Moment(StrEnum):
    """Moments between which a crash differs."""

    COMPUTED = "computed"
    """A model's rows are computed and have passed their checks; nothing of them is written."""
    FILES_WRITTEN = "files written"
    """A model's files are there; no snapshot names them."""
    COMMITTED = "committed"
    """A model's snapshot is there; the models that read it stand where they stood."""


Failpoint = Callable[[Moment], None]
"""Called at each moment, by several threads at once; returns, or never does."""


def ignore(_moment: Moment) -> None:
    """Go on: nobody tests."""
