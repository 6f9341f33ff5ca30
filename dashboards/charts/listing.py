"""Tables that one model's rows make by themselves, in an order; with bars, if one column is to be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import cast

from dashboards.charts.chart import Chart, Drawn, Request, Rows, TableColumn
from dashboards.charts.figure import Figure
from dashboards.charts.from_model import meaning, model_named, table_column
from dashboards.charts.ranked_bars import RankedBar, ranked_bars
from dashboards.formats import Money
from dashboards.metrics.listing import first_rows


def listing(
    *,
    name: str,
    title: str,
    scope: str,
    model: str,
    columns: Mapping[str, str],
    order: str,
    sentence: Callable[[Rows, Money], str],
    bars: tuple[str, str] | None = None,
    is_wide: bool = False,
) -> Chart:
    """Declare a table of a model's rows.

    Args:
        name: In addresses.
        title: On the card.
        scope: Which time it covers.
        model: Name of the gold model.
        columns: What is shown of it, in order, each with its heading.
        order: The column to order by, after a minus for the largest first.
        sentence: Says what the rows show, or that there are none.
        bars: The columns that name and measure a bar, each among ``columns``; None for a table without a picture.
        is_wide: Whether the card takes the whole width.
    """
    gold = model_named(model)
    names = tuple(columns)
    written = tuple(table_column(gold, each, title) for each, title in columns.items())

    def draw(request: Request) -> Drawn:
        rows = first_rows(request.query, gold, columns=names, order=order, limit=request.limit)
        places = tuple(names.index(each) for each in bars) if bars else None
        has_bars = places is not None and any(row[places[1]] for row in rows)
        return Drawn(
            figure=_bars(rows, written, places, request.money) if places and has_bars else None,
            summary=sentence(rows, request.money),
            rows=rows,
        )

    return Chart(
        name=name,
        title=title,
        scope=scope,
        model=model,
        definition=meaning(gold, columns),
        columns=written,
        draw=draw,
        is_wide=is_wide,
        height="few-bars" if bars else "",
        reads=frozenset(f"{gold.table}.{each}" for each in (*columns, order.removeprefix("-"))),
    )


def _bars(rows: Rows, columns: Sequence[TableColumn], places: tuple[int, ...], money: Money) -> Figure:
    name, length = places
    return ranked_bars(
        [
            RankedBar(
                key=str(number),
                name=columns[name].write(row[name], money),
                length=float(cast("Decimal", row[length] or 0)),
                written=columns[length].write(row[length], money),
                hover=tuple(
                    f"{column.title}: {column.write(value, money)}"
                    for place, (column, value) in enumerate(zip(columns, row, strict=True))
                    if place != name
                ),
            )
            for number, row in enumerate(rows)
        ]
    )
