"""Products ranked by what they earned."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from dashboards import formats
from dashboards.charts.figure import SERIES, Figure, figure
from dashboards.formats import Money
from dashboards.metrics.products import Product

BARS = 10


def products_figure(products: Sequence[Product], money: Money) -> Figure:
    """Return horizontal bars, the best on top, names written above their bars.

    Plotly reads markup in texts, so names, which tenants write, are escaped.
    """
    shown = products[:BARS]
    bars = go.Bar(
        orientation="h",
        x=[float(product.revenue) for product in shown],
        y=[product.sku for product in shown],
        text=[escape(product.name) for product in shown],
        customdata=[
            f"{formats.plural(product.units_sold, 'unit')}, {money.full(product.revenue)}<br>"
            f"margin {formats.percent(product.margin_ratio)}"
            for product in shown
        ],
        hovertemplate="<b>%{text}</b><br>%{customdata}<extra></extra>",
        textposition="none",
        marker={"color": SERIES, "cornerradius": 3},
    )
    names = [
        {
            "x": 0,
            "y": product.sku,
            "text": f"{escape(product.name)}  <b>{money.short(product.revenue)}</b>",
            "xanchor": "left",
            "yanchor": "bottom",
            "yshift": 5,
            "showarrow": False,
            "font": {"size": 12},
        }
        for product in shown
    ]
    return figure(
        [bars],
        x={"visible": False, "rangemode": "tozero"},
        y={"type": "category", "autorange": "reversed", "showgrid": False, "showticklabels": False},
        annotations=names,
        bargap=0.72,
        hovermode="closest",
    )


def products_summary(products: Sequence[Product], money: Money) -> str:
    """Return what the figure shows, in one sentence."""
    sold = [product for product in products if product.revenue]
    if not sold:
        return "No product has been sold yet."
    first = sold[0]
    sentence = f"{first.name} earned most: {money.full(first.revenue)}"
    if first.revenue_share is not None:
        sentence += f", {formats.percent(first.revenue_share)} of all product revenue"
    return sentence + "."


def products_rows(products: Sequence[Product]) -> tuple[tuple[object, ...], ...]:
    """Return the table: best first."""
    return tuple(
        (
            each.rank, each.sku, each.name, each.category, each.units_sold, each.revenue, each.margin_ratio,
            each.stock_quantity, each.stock_cover_days,
        )
        for each in products
    )  # fmt: skip
