"""Keeps a rate, whatever the single steps take."""

from __future__ import annotations

from collections.abc import Callable

_ROUNDING = 1e-6
"""Of a token: what adding fractions of seconds may lose."""


class TokenBucket:
    """Fills with ``rate`` tokens a second and never holds more than a second's worth.

    A stall shorter than that is caught up; a longer one is not followed by a flood.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """Begin empty.

        Args:
            rate: Tokens a second.
            clock: Returns seconds that only grow.
        """
        self._rate = rate
        self._clock = clock
        self._tokens = 0.0
        self._filled_at = clock()

    def take(self, tokens: int) -> float:
        """Take tokens now, or none of them; return the seconds until there are enough, 0 if taken."""
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._filled_at) * self._rate, max(self._rate, tokens))
        self._filled_at = now
        if self._tokens < tokens - _ROUNDING:
            return (tokens - self._tokens) / self._rate
        self._tokens -= tokens
        return 0.0
