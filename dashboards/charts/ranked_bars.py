"""Horizontal bars, each with its name above it: what is compared are named things rather than days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from dashboards.charts.figure import SERIES, Figure, figure


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedBar:
    """One bar. Texts may hold anything: they are escaped here, for Plotly reads markup."""

    key: str
    """Different for each bar."""
    name: str
    length: float
    written: str
    """The length, beside the name."""
    hover: Sequence[str]
    """Lines that appear when the bar is pointed at."""


def ranked_bars(bars: Sequence[RankedBar]) -> Figure:
    """Return the bars in their order, the first on top."""
    trace = go.Bar(
        orientation="h",
        x=[bar.length for bar in bars],
        y=[bar.key for bar in bars],
        text=[escape(bar.name) for bar in bars],
        customdata=["<br>".join(escape(line) for line in bar.hover) for bar in bars],
        hovertemplate="<b>%{text}</b><br>%{customdata}<extra></extra>",
        textposition="none",
        marker={"color": SERIES, "cornerradius": 3},
    )
    names = [
        {
            "x": 0,
            "y": bar.key,
            "text": f"{escape(bar.name)}  <b>{escape(bar.written)}</b>",
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 5,
            "showarrow": False,
            "font": {"size": 12},
        }
        for bar in bars
    ]
    return figure(
        [trace],
        x={"visible": False, "rangemode": "tozero"},
        y={"type": "category", "autorange": "reversed", "showgrid": False, "showticklabels": False},
        annotations=names,
        bargap=0.72,
        hovermode="closest",
    )
