"""Named moments in a follower's cycle at which a test may stop it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from etl.gold import failpoint as gold
from etl.silver import failpoint as silver


class Moment(StrEnum):
    """Moments between which a crash differs, besides those of silver and gold."""

    WINDOW_READ = "window read"
    """Flushes were read; nothing of them is in silver."""
    SILVER_APPLIED = "silver applied"
    """Silver holds the window; gold stands before it."""
    GOLD_REFRESHED = "gold refreshed"
    """Gold is computed from it; nothing pins it."""
    PUBLISHING = "publishing"
    """The publication's row is written; its transaction is open."""
    PUBLISHED = "published"
    """Readers see the publication; the follower has recorded nothing of it."""
    TIDIED = "tidied"
    """A partition was compacted, if one asked for it; the follower has recorded nothing of the cycle."""


Failpoint = Callable[[Moment | silver.Moment | gold.Moment], None]
"""Called at each moment of the follower, of silver and of gold; returns, or never does."""


def ignore(_moment: Moment | silver.Moment | gold.Moment) -> None:
    """Go on: nobody tests."""
