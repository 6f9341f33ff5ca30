"""Charts that one model's rows over time make by themselves: a declaration names the marks, the model the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import cast

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.chart import Chart, Drawn, Kind, LegendEntry, Request, TableColumn
from dashboards.charts.figure import ROLES, Figure, figure
from dashboards.charts.from_model import meaning, model_named, table_column
from dashboards.formats import Money
from dashboards.metrics.over_time import MONTHS_SHOWN, WEEKS_SHOWN, Moment, Step, over_time
from dashboards.metrics.revenue import change
from etl.contracts.types import LogicalType, family
from etl.gold.model import GoldColumn
from etl.ports.query_engine import Value

_SCOPES = {Step.DAY: None, Step.WEEK: f"Last {WEEKS_SHOWN} weeks", Step.MONTH: f"Last {MONTHS_SHOWN} months"}
_TICKS = {Step.DAY: "%-d %b", Step.WEEK: "%-d %b", Step.MONTH: "%b"}
_HOVERS = {Step.DAY: "%{x|%a %-d %b}", Step.WEEK: "Week of %{x|%-d %b}", Step.MONTH: "%{x|%b %Y}"}
_COMPARED = {Step.DAY: 7, Step.WEEK: 1, Step.MONTH: 1}
"""How many steps back the newest is compared with; a day with the same weekday."""
_BEFORE = {Step.DAY: "a week before", Step.WEEK: "the week before", Step.MONTH: "the month before"}
_MANY_MARKS = 45
"""Beyond this bars are thinner than the gaps between them, and lines read better."""
_MONTH_LINE_MARGIN_DAYS = 12
"""Room beside the first and the last month of a line, for their names below."""


class Shape(StrEnum):
    """How a column is drawn."""

    BARS = "bars"
    LINE = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One column of the model, drawn."""

    column: str
    label: str
    """Its name in legend, table and sentence, with a capital."""
    color: str
    is_loss: bool = False
    """Drawn below zero: the model counts what was lost as a positive number."""


def timeline(
    *,
    name: str,
    title: str,
    model: str,
    by: str,
    marks: Sequence[Mark],
    empty: str,
    shape: Shape = Shape.BARS,
    also: Sequence[str] = (),
    is_stacked: bool = False,
    is_wide: bool = False,
) -> Chart:
    """Declare a chart of a model's rows over time.

    Args:
        name: In addresses.
        title: On the card.
        model: Name of the gold model.
        by: Its column of days, Mondays or first days of months.
        marks: What is drawn.
        empty: What to say while there is nothing to draw.
        shape: How the marks are drawn.
        also: Further columns, for the table and the export.
        is_stacked: Whether bars stand on each other rather than side by side.
        is_wide: Whether the card takes the whole width.
    """
    gold = model_named(model)
    step = Step(by.removeprefix("cohort_"))
    drawn = [mark.column for mark in marks]
    names = [*drawn, *also]
    titles: Mapping[str, str] = {mark.column: mark.label for mark in marks}
    columns = tuple(table_column(gold, each, titles.get(each)) for each in names)
    nothing = tuple(_nothing(gold.column(each)) for each in names)

    def draw(request: Request) -> Drawn:
        moments = over_time(request.query, request.period, model=gold, by=by, step=step, columns=names, nothing=nothing)
        rows = tuple((moment.start, *moment.values) for moment in reversed(moments))
        if not any(value for moment in moments for value in moment.values[: len(marks)]):
            return Drawn(figure=None, summary=empty, rows=rows)
        lines = shape is Shape.LINE or len(moments) > _MANY_MARKS
        kinds = columns[: len(marks)]
        return Drawn(
            figure=_figure(moments, marks, kinds, request.money, step, as_lines=lines, is_stacked=is_stacked),
            summary=_summary(moments, kinds, request.money, step),
            rows=rows,
            legend=_legend(moments, marks, step, as_lines=lines),
        )

    return Chart(
        name=name,
        title=title,
        scope=_SCOPES[step],
        model=model,
        definition=meaning(gold, drawn),
        columns=(table_column(gold, by), *columns),
        draw=draw,
        is_wide=is_wide,
        reads=frozenset(f"{gold.table}.{each}" for each in (by, *names)),
    )


def _nothing(column: GoldColumn) -> Value:
    """Return what a step without a row has: of what is counted 0; a quotient of nothing does not exist."""
    counted: dict[LogicalType, Value] = {LogicalType.BIGINT: 0, LogicalType.DECIMAL: Decimal(0)}
    return counted.get(family(column.type))


def _figure(
    moments: Sequence[Moment],
    marks: Sequence[Mark],
    columns: Sequence[TableColumn],
    money: Money,
    step: Step,
    *,
    as_lines: bool,
    is_stacked: bool,
) -> Figure:
    """Return a trace a mark; what is unfinished is hatched, or left out of lines."""
    traces = []
    for index, (mark, column) in enumerate(zip(marks, columns, strict=True)):
        shown = [moment for moment in moments if not (as_lines and moment.is_running)]
        sign = -1 if mark.is_loss else 1
        common = {
            "x": [moment.start.isoformat() for moment in shown],
            "y": [_height(moment.values[index], sign) for moment in shown],
            "name": mark.label,
            "customdata": [
                f"{column.write(moment.values[index], money)}{' so far' if moment.is_running else ''}"
                for moment in shown
            ],
            "hovertemplate": f"{_HOVERS[step]}<br>{mark.label} <b>%{{customdata}}</b><extra></extra>",
        }
        if as_lines:
            line = {"color": mark.color, "width": 2, "dash": _DASHES[index % len(_DASHES)]}
            traces.append(go.Scatter(**common, mode="lines", line=line))
            continue
        shapes = ["/" if moment.is_running else "" for moment in shown]
        pattern = {"shape": shapes, "fillmode": "replace", "fgcolor": mark.color, "size": 5, "solidity": 0.4}
        traces.append(go.Bar(**common, marker={"color": mark.color, "cornerradius": 3, "pattern": pattern}))
    axis: dict[str, object] = {"dtick": "M1"} if step is Step.MONTH else {"nticks": 8}
    if as_lines and step is Step.MONTH:
        room = timedelta(days=_MONTH_LINE_MARGIN_DAYS)
        axis["range"] = [(moments[0].start - room).isoformat(), (moments[-1].start + room).isoformat()]
    return figure(
        traces,
        x={"type": "date", "tickformat": _TICKS[step], **axis},
        y=value_axis(columns[0].kind, money),
        barmode="relative" if is_stacked else "group",
        hovermode="closest",
    )


_DASHES = ("solid", "dash", "dot", "dashdot")
"""Lines differ by more than colour."""


def value_axis(kind: Kind, money: Money) -> dict[str, object]:
    """Return the vertical axis for values of a kind; it begins at zero."""
    written: dict[Kind, dict[str, object]] = {
        Kind.MONEY: {"tickprefix": money.prefix, "tickformat": "~s"},
        Kind.RATIO: {"tickformat": ".0%"},
        Kind.COUNT: {"tickformat": ",d"},
    }
    return {
        "rangemode": "tozero",
        "nticks": 5,
        "zeroline": True,
        "zerolinecolor": "var(--line)",
        **written.get(kind, {}),
    }


def _height(value: Value, sign: int) -> float | None:
    return None if value is None else sign * float(cast("Decimal", value))


def _legend(moments: Sequence[Moment], marks: Sequence[Mark], step: Step, *, as_lines: bool) -> tuple[LegendEntry, ...]:
    entries = [
        LegendEntry(
            role=f"{ROLES[mark.color]} line {_DASHES[index % len(_DASHES)]}" if as_lines else ROLES[mark.color],
            text=mark.label.lower() if not mark.label.isupper() else mark.label,
        )
        for index, mark in enumerate(marks)
    ]
    if not as_lines and any(moment.is_running for moment in moments):
        entries.append(LegendEntry(role="hatched", text=f"{step} so far"))
    return tuple(entries)


def _summary(moments: Sequence[Moment], columns: Sequence[TableColumn], money: Money, step: Step) -> str:
    """Return what the figure shows, in one or two sentences: the newest whole step, and the one before."""
    whole = [moment for moment in moments if not moment.is_running]
    if not whole:
        return f"The first {step} is still running."
    places = [place for place, moment in enumerate(whole) if moment.values[0] is not None]
    place = places[-1] if places else len(whole) - 1
    newest = whole[place]
    said = ", ".join(
        f"{_lower(column.title)} {column.write(value, money)}"
        for column, value in zip(columns, newest.values, strict=False)
    )
    sentence = f"{_when(newest.start, step)}: {said}."
    if place >= _COMPARED[step]:
        before = whole[place - _COMPARED[step]]
        moved = _moved(columns[0], newest.values[0], before.values[0])
        if moved:
            sentence += f" {columns[0].title}: {moved} {_BEFORE[step]}."
    return sentence


def _when(start: date, step: Step) -> str:
    if step is Step.MONTH:
        return formats.month(start)
    return f"Week of {formats.day(start)}" if step is Step.WEEK else formats.short_day(start)


def _lower(title: str) -> str:
    first = title.partition(" ")[0]
    return title if first.isupper() else title[0].lower() + title[1:]


def _moved(column: TableColumn, now: Value, before: Value) -> str:
    """Return ``12.3% more than``; a ratio moves by points; empty where it cannot be said."""
    if now is None or before is None:
        return ""
    current, previous = Decimal(str(now)), Decimal(str(before))
    if current == previous:
        return "as much as"
    if column.kind is Kind.RATIO:
        points = formats.number(abs(current - previous) * 100)
        return f"{points} points {'higher' if current > previous else 'lower'} than"
    ratio = change(current, previous)
    return "" if ratio is None else f"{formats.percent(abs(ratio))} {'more' if ratio > 0 else 'less'} than"
