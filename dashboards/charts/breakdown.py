"""Stacked bars: an amount by month, told apart by a name that the tenant gave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from html import escape

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.chart import Chart, Drawn, Kind, LegendEntry, Request
from dashboards.charts.figure import FIFTH, FOURTH, GHOST, ROLES, SECOND, SERIES, THIRD, Figure, figure
from dashboards.charts.from_model import meaning, model_named, table_column
from dashboards.charts.timeline import value_axis
from dashboards.formats import Money
from dashboards.metrics.breakdown import Share, amount_by_month
from dashboards.metrics.over_time import MONTHS_SHOWN, Step

_COLORS = (SERIES, SECOND, THIRD, FOURTH, FIFTH)
_OTHERS = "all others"


def breakdown(
    *, name: str, title: str, model: str, split: Sequence[str], amount: str, empty: str, is_wide: bool = False
) -> Chart:
    """Declare a chart of ``amount`` by month, the five weightiest values of ``split`` told apart.

    Args:
        name: In addresses.
        title: On the card.
        model: Name of the gold model, which has a column ``month``.
        split: Its columns that together name what is told apart.
        amount: Its column of amounts of money.
        empty: What to say while there is nothing to draw.
        is_wide: Whether the card takes the whole width.
    """
    gold = model_named(model)

    def draw(request: Request) -> Drawn:
        shares = amount_by_month(
            request.query,
            request.period,
            model=model,
            split=split,
            amount=amount,
            named=request.limit if request.is_export else len(_COLORS),
        )
        rows = tuple((each.month, each.name or _OTHERS, each.amount) for each in reversed(shares))
        if not shares or request.is_export:
            return Drawn(figure=None, summary=empty, rows=rows)
        names = _by_weight(shares)
        running = Step.MONTH.start(request.period.today)
        return Drawn(
            figure=_figure(shares, names, request.money, running),
            summary=_summary(shares, names, request.money),
            rows=rows,
            legend=tuple(LegendEntry(role=ROLES[color], text=each or _OTHERS) for each, color in names.items()),
        )

    return Chart(
        name=name,
        title=title,
        scope=f"Last {MONTHS_SHOWN} months",
        model=model,
        definition=meaning(gold, (amount, *split)),
        columns=(table_column(gold, "month"), table_column(gold, split[0]), table_column(gold, amount)),
        draw=draw,
        is_wide=is_wide,
        reads=frozenset(f"{gold.table}.{each}" for each in ("month", *split, amount)),
    )


def _by_weight(shares: Sequence[Share]) -> dict[str | None, str]:
    """Return each name and its colour, the weightiest first, all others last."""
    weights: dict[str | None, Decimal] = defaultdict(Decimal)
    for share in shares:
        weights[share.name] += share.amount
    named = sorted((name for name in weights if name is not None), key=lambda name: (-weights[name], name))
    colors: dict[str | None, str] = dict(zip(named, _COLORS, strict=False))
    return {**colors, None: GHOST} if None in weights else colors


def _figure(shares: Sequence[Share], names: dict[str | None, str], money: Money, running: date) -> Figure:
    months = sorted({share.month for share in shares})
    amounts = {(share.month, share.name): share.amount for share in shares}
    traces = []
    for name, color in names.items():
        found = [amounts.get((month, name), Decimal(0)) for month in months]
        shapes = ["/" if month == running else "" for month in months]
        traces.append(
            go.Bar(
                x=[month.isoformat() for month in months],
                y=[float(amount) for amount in found],
                name=escape(name or _OTHERS),
                customdata=[
                    f"{escape(name or _OTHERS)} <b>{money.full(amount)}</b>{' so far' if month == running else ''}"
                    for month, amount in zip(months, found, strict=True)
                ],
                hovertemplate="%{x|%b %Y}<br>%{customdata}<extra></extra>",
                marker={
                    "color": color,
                    "pattern": {"shape": shapes, "fillmode": "replace", "fgcolor": color, "size": 5, "solidity": 0.4},
                },
            )
        )
    return figure(
        traces,
        x={"type": "date", "tickformat": "%b", "dtick": "M1"},
        y=value_axis(Kind.MONEY, money),
        barmode="stack",
        hovermode="closest",
    )


def _summary(shares: Sequence[Share], names: dict[str | None, str], money: Money) -> str:
    whole = sum((share.amount for share in shares), Decimal(0))
    first = next(iter(names))
    weight = sum((share.amount for share in shares if share.name == first), Decimal(0))
    part = f", {formats.percent(weight / whole)} of all" if whole else ""
    return f"{first or _OTHERS} weighs most: {money.full(weight)} over these months{part}."
