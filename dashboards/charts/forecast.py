"""What the next weeks are likely to bring: a line with its bands, and beside it how such a line did on the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.chart import Fact, Kind, LegendEntry
from dashboards.charts.figure import BAND, FILL, GHOST, SERIES, Figure, figure
from dashboards.charts.timeline import value_axis
from dashboards.formats import Money
from dashboards.metrics.forecast import BackTest, DayAhead, Outlook
from etl.gold.transforms.forecast import MIN_DAYS, SEASON_DAYS

Write = Callable[[float], str]
"""Writes one of the series' values."""

_MIN_WEEKS = MIN_DAYS // SEASON_DAYS


def forecast_figure(outlook: Outlook, write: Write, kind: Kind, money: Money) -> Figure:
    """Return the days before, and those ahead with a band for 80 and one for 95 days of 100."""
    ahead = outlook.ahead
    days = [day.day.isoformat() for day in ahead]
    line = go.Scatter(
        x=days,
        y=[day.value for day in ahead],
        name="Forecast",
        mode="lines",
        line={"color": SERIES, "width": 2, "dash": "dash"},
        customdata=[
            f"about <b>{write(day.value)}</b><br>80 of 100 such days: {write(day.lower_80)} to {write(day.upper_80)}"
            for day in ahead
        ],
        hovertemplate="%{x|%a %-d %b}<br>%{customdata}<extra></extra>",
    )
    past = go.Scatter(
        x=[day.isoformat() for day, _ in outlook.past],
        y=[value for _, value in outlook.past],
        name="So far",
        mode="lines",
        line={"color": GHOST, "width": 1.5},
        customdata=[write(value) for _, value in outlook.past],
        hovertemplate="%{x|%a %-d %b}<br><b>%{customdata}</b><extra></extra>",
    )
    wide = _band(days, [day.lower_95 for day in ahead], [day.upper_95 for day in ahead], BAND)
    narrow = _band(days, [day.lower_80 for day in ahead], [day.upper_80 for day in ahead], FILL)
    return figure(
        # The forecast comes first: the keyboard walks along the first trace.
        [line, past, wide, narrow],
        x={"type": "date", "tickformat": "%-d %b", "nticks": 8},
        y=value_axis(kind, money),
        hovermode="closest",
    )


def _band(days: Sequence[str], lower: Sequence[float], upper: Sequence[float], color: str) -> go.Scatter:
    """Return the area between two lines, as one outline: there along the upper, back along the lower."""
    return go.Scatter(
        x=[*days, *reversed(days)],
        y=[*upper, *reversed(lower)],
        mode="lines",
        line={"width": 0, "color": color},
        fill="toself",
        fillcolor=color,
        hoverinfo="skip",
    )


def forecast_legend() -> tuple[LegendEntry, ...]:
    """Return what the figure's marks mean."""
    return (
        LegendEntry(role="ghost line", text="so far"),
        LegendEntry(role="series line dash", text="forecast"),
        LegendEntry(role="fill", text="holds 80 of 100 days"),
        LegendEntry(role="band", text="holds 95 of 100 days"),
    )


def forecast_summary(outlook: Outlook, write: Write, what: str) -> str:
    """Return what the figure shows and what it is worth; or why there is no forecast.

    Args:
        outlook: The days before and ahead.
        write: Writes a value.
        what: Names the series within a sentence, such as ``revenue``.
    """
    tested = outlook.tested
    if tested is None:
        if not outlook.history_days:
            return f"There is no {what} yet to forecast from."
        return (
            f"Too little history for a forecast: it takes {_MIN_WEEKS} weeks of {what}, "
            f"and there are {outlook.history_days // SEASON_DAYS}."
        )
    nearest, last = outlook.ahead[0], outlook.ahead[-1]
    if not tested.beats_the_baseline:
        return (
            "No method erred less on the past than repeating the last week, so this is the last week again, "
            f"to {formats.short_day(last.day)}. Its days were off by {write(tested.error)} on average."
        )
    less = formats.percent(1 - tested.error / tested.baseline_error, places=0)
    return (
        f"About {write(nearest.value)} on {formats.short_day(nearest.day)}; most likely values go to "
        f"{formats.short_day(last.day)}. When the past was predicted so, a day was off by {write(tested.error)} on "
        f"average, {less} less than by repeating the week before."
    )


def forecast_facts(tested: BackTest | None, write: Write) -> tuple[Fact, ...]:
    """Return the back-test, number by number."""
    if tested is None:
        return ()
    return (
        Fact(
            name="Error in the back-test", value=write(tested.error), note="a day, on average over 8 trials of 28 days"
        ),
        Fact(name="Error of the baseline", value=write(tested.baseline_error), note="same weekday of the week before"),
        Fact(name="Days inside the 80% band", value=formats.percent(tested.coverage_80), note="in those trials"),
        Fact(name="Knows days up to", value=formats.day(tested.trained_to)),
        Fact(name="Method", value=tested.method.capitalize(), note=f"version {tested.model_version}"),
    )


def forecast_rows(ahead: Sequence[DayAhead]) -> tuple[tuple[object, ...], ...]:
    """Return the table: the nearest day first."""
    return tuple((each.day, each.value, each.lower_80, each.upper_80, each.lower_95, each.upper_95) for each in ahead)
