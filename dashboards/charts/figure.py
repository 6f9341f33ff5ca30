"""What all our Plotly figures share: no frame, quiet grid, colours by role.

Colours are CSS custom properties (``var(--series-1)``), which `dashboard.js` replaces by
the page's own values: one figure serves the light and the dark theme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

Figure = Mapping[str, Any]
"""A Plotly figure as JSON-ready data."""

SERIES = "var(--series-1)"
SECOND = "var(--series-2)"
THIRD = "var(--series-3)"
FOURTH = "var(--series-4)"
FIFTH = "var(--series-5)"
GHOST = "var(--series-ghost)"
FILL = "var(--series-fill)"
"""The ground below a line, or a band around one."""
BAND = "var(--series-band)"
"""A wider band, paler."""
TEXT = "var(--text)"
MUTED = "var(--muted)"
LINE = "var(--line)"
CARD = "var(--card)"


ROLES = {
    SERIES: "series", SECOND: "series-2", THIRD: "series-3", FOURTH: "series-4", FIFTH: "series-5", GHOST: "ghost",
}  # fmt: skip
"""Which class of `dashboards.css` draws a colour's mark in a legend."""


def figure(traces: Sequence[object], *, x: Mapping[str, object], y: Mapping[str, object], **layout: object) -> Figure:
    """Return traces in our frame.

    Args:
        traces: Plotly traces.
        x: What to set on the horizontal axis.
        y: What to set on the vertical axis.
        layout: Further layout settings.
    """
    axis = {
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "linecolor": LINE,
        "tickfont": {"color": MUTED, "size": 12},
        "automargin": True,
    }
    drawn = go.Figure(
        data=list(traces),
        layout={
            "template": "none",
            "autosize": True,
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": TEXT, "size": 13},
            "showlegend": False,
            "dragmode": False,
            "hoverlabel": {"bgcolor": CARD, "bordercolor": LINE, "font": {"color": TEXT, "size": 13}, "align": "left"},
            "bargap": 0.22,
            "xaxis": {**axis, **x},
            "yaxis": {**axis, "showgrid": True, "gridcolor": LINE, "linecolor": "rgba(0,0,0,0)", **y},
            **layout,
        },
    )
    as_data: Figure = drawn.to_plotly_json()
    return as_data
