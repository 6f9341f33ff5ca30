"""The funnel, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import formats
from dashboards.charts.figure import Figure
from dashboards.charts.ranked_bars import RankedBar, ranked_bars
from dashboards.metrics.funnel import FunnelStep


def funnel_figure(steps: Sequence[FunnelStep]) -> Figure:
    """Return a bar a step, with the part of the step before that got there."""
    return ranked_bars(
        [
            RankedBar(
                key=step.name,
                name=step.name.capitalize(),
                length=float(step.visits),
                written=formats.count(step.visits)
                + ("" if step.step_ratio is None else f" · {formats.percent(step.step_ratio)}"),
                hover=(
                    formats.plural(step.visits, "visit"),
                    *(() if step.step_ratio is None else (f"{formats.percent(step.step_ratio)} of the step before",)),
                    f"{formats.percent(step.overall_ratio)} of all",
                ),
            )
            for step in steps
        ]
    )


def funnel_summary(steps: Sequence[FunnelStep]) -> str:
    """Return what the figure shows, in one sentence."""
    if not steps[0].visits:
        return "There was no visit in these days."
    lost = min(steps[1:], key=lambda step: 1 if step.step_ratio is None else step.step_ratio)
    sentence = (
        f"{formats.percent(steps[-1].overall_ratio)} of {formats.plural(steps[0].visits, 'visit')} ended in a purchase"
    )
    if lost.step_ratio is None:
        return f"{sentence}."
    return f"{sentence}; most were lost before they {lost.name}: {formats.percent(lost.step_ratio)} got there."


def funnel_rows(steps: Sequence[FunnelStep]) -> tuple[tuple[object, ...], ...]:
    """Return the table: the first step first."""
    return tuple((step.name, step.visits, step.step_ratio, step.overall_ratio) for step in steps)
