"""Small lines without axes, drawn on the server as SVG."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 120
HEIGHT = 32
_MARGIN = 2


def spark_points(values: Sequence[float]) -> str:
    """Return the ``points`` of an SVG polyline in a box of 120 by 32; empty for fewer than two values.

    The vertical axis begins at zero, so that a small wobble looks small.
    """
    if len(values) < 2:  # noqa: PLR2004 - a line needs two ends
        return ""
    top = max(*values, 0) or 1
    step = (WIDTH - 2 * _MARGIN) / (len(values) - 1)
    room = HEIGHT - 2 * _MARGIN
    return " ".join(
        f"{_MARGIN + number * step:.1f},{_MARGIN + room * (1 - max(value, 0) / top):.1f}"
        for number, value in enumerate(values)
    )
