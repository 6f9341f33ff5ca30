"""Products: what earns the money, and what runs out."""

from __future__ import annotations

from typing import cast

from dashboards import formats
from dashboards.charts import products
from dashboards.charts.breakdown import breakdown
from dashboards.charts.chart import Chart, Drawn, Kind, Request, Rows
from dashboards.charts.listing import listing
from dashboards.formats import Money
from dashboards.metrics.products import products_by_revenue
from dashboards.pages.page import Page, column


def _products(request: Request) -> Drawn:
    ranked = products_by_revenue(request.query, limit=request.limit)
    return Drawn(
        figure=products.products_figure(ranked, request.money) if ranked else None,
        summary=products.products_summary(ranked, request.money),
        rows=cast("Rows", products.products_rows(ranked)),
    )


def _stock_sentence(rows: Rows, _money: Money) -> str:
    selling = [row for row in rows if row[_COVER_DAYS] is not None]
    if not selling:
        return "No product was sold in the last 30 days, so none is running out."
    first = selling[0]
    days = round(cast("float", first[_COVER_DAYS]))
    name = first[_NAME]
    if not days:
        return f"{name} is sold out at the pace of the last 30 days."
    return f"{name} runs out first: its stock lasts {formats.plural(days, 'day')} at the pace of the last 30."


_STOCK = {
    "sku": "Article",
    "name": "Product",
    "category": "Category",
    "is_active": "On sale",
    "stock_quantity": "In stock",
    "units_sold_30_days": "Sold in 30 days",
    "stock_cover_days": "Days of stock",
}
_NAME, _COVER_DAYS = (tuple(_STOCK).index(each) for each in ("name", "stock_cover_days"))

PAGE = Page(
    name="products",
    title="Products",
    question="Which products earn the money, and which will run out?",
    charts=(
        Chart(
            name="products",
            title="Products by revenue",
            scope="Since the beginning",
            model="product_performance",
            definition=(
                "Product revenue is the sum of the items of completed orders, before order discount and tax. Margin is "
                "what remains after the product's present cost. Stock cover is the stock divided by the pace of the "
                "last 30 days."
            ),
            columns=(
                column("rank", "Place", Kind.COUNT),
                column("sku", "Article", Kind.TEXT),
                column("product", "Product", Kind.TEXT),
                column("category", "Category", Kind.TEXT),
                column("units_sold", "Units", Kind.COUNT),
                column("revenue", "Revenue", Kind.MONEY),
                column("margin_ratio", "Margin", Kind.RATIO),
                column("stock_quantity", "In stock", Kind.COUNT),
                column("stock_cover_days", "Days of stock", Kind.DAYS),
            ),
            draw=_products,
            is_wide=True,
            height="bars",
        ),
        breakdown(
            name="product-revenue-by-month",
            title="Revenue by product and month",
            model="product_revenue_monthly",
            split=("name", "sku"),
            amount="revenue",
            empty="No product has been sold in the last 12 months.",
            is_wide=True,
        ),
        listing(
            name="stock",
            title="What runs out first",
            scope="At the pace of the last 30 days",
            model="product_performance",
            columns=_STOCK,
            order="stock_cover_days",
            sentence=_stock_sentence,
            is_wide=True,
        ),
    ),
)
