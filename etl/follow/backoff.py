"""How long to leave something alone that failed: longer each time, up to a minute."""

from __future__ import annotations

import time

_FIRST_SECONDS = 1.0
_LONGEST_SECONDS = 60.0


class Backoff:
    """A pause that doubles with every failure in a row."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self._failures = 0
        self._until = 0.0

    def failed(self) -> float:
        """Begin a pause; return its seconds."""
        seconds = min(_FIRST_SECONDS * 2**self._failures, _LONGEST_SECONDS)
        self._failures += 1
        self._until = time.monotonic() + seconds
        return float(seconds)

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the pause has passed."""
        return time.monotonic() >= self._until
