"""Revenue by day against the stretch before."""

from __future__ import annotations

from decimal import Decimal

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.chart import LegendEntry
from dashboards.charts.figure import FILL, GHOST, SERIES, Figure, figure
from dashboards.formats import Money
from dashboards.metrics.revenue import Day, RevenueByDay, change, totals

_BARS_UP_TO_DAYS = 45
"""Beyond this bars are thinner than the gaps between them, and a line reads better."""


def revenue_figure(data: RevenueByDay, money: Money) -> Figure:
    """Return the period as bars or a line; the one before, if it is whole, dotted; the running day hatched."""
    days = data.current
    hover = "%{x|%a %-d %b}<br><b>%{customdata}</b><extra></extra>"
    current = {
        "x": [day.day.isoformat() for day in days],
        "y": [float(day.revenue) for day in days],
        "customdata": [money.full(day.revenue) for day in days],
        "name": "Revenue",
        "hovertemplate": hover,
    }
    main = (
        go.Bar(**current, marker={"color": SERIES, "cornerradius": 3})
        if len(days) <= _BARS_UP_TO_DAYS
        else go.Scatter(**current, mode="lines", line={"color": SERIES, "width": 2}, fill="tozeroy", fillcolor=FILL)
    )
    before = go.Scatter(
        x=current["x"],
        y=[float(day.revenue) for day in data.previous],
        customdata=[f"{formats.short_day(day.day)}: {money.full(day.revenue)}" for day in data.previous],
        name=f"{data.period.days} days before",
        mode="lines",
        line={"color": GHOST, "width": 1.5, "dash": "dot"},
        hovertemplate="%{customdata}<extra></extra>",
    )
    running = go.Bar(
        x=[data.today.day.isoformat()],
        y=[float(data.today.revenue)],
        customdata=[f"{money.full(data.today.revenue)} so far"],
        name="Today so far",
        hovertemplate=hover,
        marker={
            "color": "rgba(0,0,0,0)",
            "cornerradius": 3,
            "line": {"color": SERIES, "width": 1},
            "pattern": {"shape": "/", "fgcolor": SERIES, "size": 5, "solidity": 0.35},
        },
    )
    return figure(
        [main, before, running] if data.is_comparable else [main, running],
        x={"type": "date", "tickformat": "%-d %b", "nticks": 8},
        y={"tickprefix": money.prefix, "tickformat": "~s", "rangemode": "tozero", "nticks": 5},
        hovermode="closest",
        barmode="overlay",
    )


def revenue_legend(data: RevenueByDay) -> tuple[LegendEntry, ...]:
    """Return what the figure's marks mean."""
    days = data.period.days
    current = LegendEntry(role="series" if days <= _BARS_UP_TO_DAYS else "line", text=f"last {days} days")
    before = LegendEntry(role="dotted", text=f"the {days} days before")
    running = LegendEntry(role="hatched", text="today so far")
    return (current, before, running) if data.is_comparable else (current, running)


def revenue_summary(data: RevenueByDay, money: Money) -> str:
    """Return what the figure shows, in one sentence."""
    sums = totals(data.current)
    now, before = sums.revenue, totals(data.previous).revenue
    days = f"the last {data.period.days} days"
    if not now:
        return f"No revenue in {days}."
    ratio = change(now, before) if data.is_comparable else None
    compared = "" if ratio is None else f", {_moved(ratio)} the {data.period.days} days before"
    pending = f" Orders for {money.full(sums.pending_amount)} are still pending." if sums.pending_amount else ""
    best = max(data.current, key=lambda day: day.revenue)
    return (
        f"{money.full(now)} in {days}{compared}; "
        f"the best day was {formats.short_day(best.day)} with {money.full(best.revenue)}.{pending}"
    )


def revenue_rows(data: RevenueByDay) -> tuple[tuple[object, ...], ...]:
    """Return the table: newest day first, the running day included."""
    return tuple(_row(day) for day in (data.today, *reversed(data.current)))


def _row(day: Day) -> tuple[object, ...]:
    average = day.revenue / day.completed_orders if day.completed_orders else None
    return (
        day.day, day.revenue, day.completed_orders, average, day.refunded_orders, day.refunded_amount,
        day.cancelled_orders, day.new_customers,
    )  # fmt: skip


def _moved(ratio: Decimal) -> str:
    if ratio == 0:
        return "as much as in"
    return f"{formats.percent(abs(ratio))} {'more' if ratio > 0 else 'less'} than in"
