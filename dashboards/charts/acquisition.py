"""Customers won, month by month."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.chart import LegendEntry
from dashboards.charts.figure import GHOST, SERIES, Figure, figure
from dashboards.metrics.customers import Month


def acquisition_figure(months: Sequence[Month]) -> Figure:
    """Return signups and first-time buyers side by side; the running month hatched."""
    shapes = ["/" if month.is_running else "" for month in months]

    def bars(name: str, values: list[int], color: str) -> go.Bar:
        return go.Bar(
            x=[month.month.isoformat() for month in months],
            y=values,
            name=name,
            customdata=[" so far" if month.is_running else "" for month in months],
            hovertemplate=f"%{{x|%b %Y}}<br><b>%{{y:,}}</b> {name.lower()}%{{customdata}}<extra></extra>",
            marker={
                "color": color,
                "cornerradius": 3,
                "pattern": {"shape": shapes, "fillmode": "replace", "fgcolor": color, "size": 5, "solidity": 0.4},
            },
        )

    return figure(
        [
            bars("Signups", [month.signups for month in months], GHOST),
            bars("First-time buyers", [month.new_customers for month in months], SERIES),
        ],
        x={"type": "date", "tickformat": "%b", "dtick": "M1", "ticklabelmode": "instant"},
        y={"rangemode": "tozero", "nticks": 5, "tickformat": ",d"},
        barmode="group",
        hovermode="closest",
    )


def acquisition_legend(months: Sequence[Month]) -> tuple[LegendEntry, ...]:
    """Return what the figure's marks mean."""
    bars = (LegendEntry(role="ghost", text="signups"), LegendEntry(role="series", text="first-time buyers"))
    running = any(month.is_running for month in months)
    return (*bars, LegendEntry(role="hatched", text="month so far")) if running else bars


def acquisition_summary(months: Sequence[Month]) -> str:
    """Return what the figure shows, in one sentence."""
    complete = [month for month in months if not month.is_running]
    if not complete:
        return "The first month is still running." if months else "No customers yet."
    last = complete[-1]
    sentence = (
        f"In {formats.month(last.month)}, {formats.plural(last.signups, 'person', 'people')} signed up and "
        f"{formats.plural(last.new_customers, 'customer')} bought for the first time"
    )
    best = max(complete, key=lambda month: month.new_customers)
    if len(complete) > 1 and best.new_customers:
        also = "that is the best month" if best is last else f"the best month was {formats.month(best.month)}"
        sentence += f"; {also} with {formats.plural(best.new_customers, 'first-time buyer')}"
    return sentence + "."


def acquisition_rows(months: Sequence[Month]) -> tuple[tuple[object, ...], ...]:
    """Return the table: newest month first."""
    return tuple(
        (month.month, month.signups, month.signups_converted, _share(month), month.new_customers)
        for month in reversed(months)
    )


def _share(month: Month) -> float | None:
    return month.signups_converted / month.signups if month.signups else None
