"""Products ranked by what they earned."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import formats
from dashboards.charts.figure import Figure
from dashboards.charts.ranked_bars import RankedBar, ranked_bars
from dashboards.formats import Money
from dashboards.metrics.products import Product

BARS = 10


def products_figure(products: Sequence[Product], money: Money) -> Figure:
    """Return horizontal bars, the best on top."""
    return ranked_bars(
        [
            RankedBar(
                key=product.sku,
                name=product.name,
                length=float(product.revenue),
                written=money.short(product.revenue),
                hover=(
                    f"{formats.plural(product.units_sold, 'unit')}, {money.full(product.revenue)}",
                    f"margin {formats.percent(product.margin_ratio)}",
                ),
            )
            for product in products[:BARS]
        ]
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
