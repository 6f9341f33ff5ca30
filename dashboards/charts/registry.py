"""Every chart by its name in addresses. Adding one here gives it a card, a JSON and a CSV."""

from __future__ import annotations

from typing import cast

from dashboards.charts import acquisition, lifetime_value, products, revenue
from dashboards.charts.chart import Chart, Drawn, Kind, Request, TableColumn
from dashboards.metrics.customers import acquisition_by_month, top_customers, value_by_tenth
from dashboards.metrics.products import products_by_revenue
from dashboards.metrics.revenue import revenue_by_day
from etl.ports.query_engine import Value

Rows = tuple[tuple[Value, ...], ...]


def _column(name: str, title: str, kind: Kind) -> TableColumn:
    return TableColumn(name=name, title=title, kind=kind)


def _revenue(request: Request) -> Drawn:
    data = revenue_by_day(request.query, request.period)
    return Drawn(
        figure=revenue.revenue_figure(data, request.money),
        summary=revenue.revenue_summary(data, request.money),
        rows=cast("Rows", revenue.revenue_rows(data)),
        legend=revenue.revenue_legend(data),
    )


def _acquisition(request: Request) -> Drawn:
    months = acquisition_by_month(request.query, request.period)
    return Drawn(
        figure=acquisition.acquisition_figure(months) if months else None,
        summary=acquisition.acquisition_summary(months),
        rows=cast("Rows", acquisition.acquisition_rows(months)),
        legend=acquisition.acquisition_legend(months),
    )


def _tenths(request: Request) -> Drawn:
    tenths = value_by_tenth(request.query)
    return Drawn(
        figure=lifetime_value.tenths_figure(tenths, request.money) if tenths else None,
        summary=lifetime_value.tenths_summary(tenths),
        rows=cast("Rows", lifetime_value.tenths_rows(tenths)),
    )


def _top_customers(request: Request) -> Drawn:
    customers = top_customers(request.query, limit=request.limit)
    return Drawn(
        figure=None,
        summary=lifetime_value.top_customers_summary(customers, request.money),
        rows=cast("Rows", lifetime_value.top_customers_rows(customers)),
    )


def _products(request: Request) -> Drawn:
    ranked = products_by_revenue(request.query, limit=request.limit)
    return Drawn(
        figure=products.products_figure(ranked, request.money) if ranked else None,
        summary=products.products_summary(ranked, request.money),
        rows=cast("Rows", products.products_rows(ranked)),
    )


CHARTS = {
    chart.name: chart
    for chart in (
        Chart(
            name="revenue",
            title="Revenue by day",
            scope=None,
            model="daily_revenue",
            definition=(
                "Revenue is the sum of the totals of completed orders, by the day of the order in your time zone. "
                "Refunded, cancelled and pending orders are not in it."
            ),
            columns=(
                _column("day", "Day", Kind.DAY),
                _column("revenue", "Revenue", Kind.MONEY),
                _column("completed_orders", "Orders", Kind.COUNT),
                _column("average_order_value", "Average", Kind.MONEY),
                _column("refunded_orders", "Refunds", Kind.COUNT),
                _column("refunded_amount", "Refunded", Kind.MONEY),
                _column("cancelled_orders", "Cancelled", Kind.COUNT),
                _column("new_customers", "New customers", Kind.COUNT),
            ),
            draw=_revenue,
        ),
        Chart(
            name="acquisition",
            title="Customers won by month",
            scope="Last 12 months",
            model="customer_acquisition_monthly",
            definition=(
                "Signups are customers by the month they signed up; first-time buyers are customers by the month of "
                "their first completed order, whenever they signed up."
            ),
            columns=(
                _column("month", "Month", Kind.MONTH),
                _column("signups", "Signups", Kind.COUNT),
                _column("signups_converted", "Have bought since", Kind.COUNT),
                _column("converted_ratio", "Share", Kind.RATIO),
                _column("new_customers", "First-time buyers", Kind.COUNT),
            ),
            draw=_acquisition,
        ),
        Chart(
            name="lifetime-value",
            title="Where lifetime value comes from",
            scope="Since the beginning",
            model="customer_lifetime_value",
            definition=(
                "Lifetime value is what a customer has paid so far: completed orders plus paid subscription invoices. "
                "Customers are put in order of it and cut into ten equal groups."
            ),
            columns=(
                _column("tenth", "Tenth", Kind.COUNT),
                _column("customers", "Customers", Kind.COUNT),
                _column("lifetime_value", "Lifetime value", Kind.MONEY),
                _column("share", "Share", Kind.RATIO),
                _column("least", "From", Kind.MONEY),
                _column("most", "To", Kind.MONEY),
            ),
            draw=_tenths,
        ),
        Chart(
            name="top-customers",
            title="Top customers",
            scope="Since the beginning",
            model="customer_lifetime_value",
            definition="Customers in order of lifetime value; equal values share a place.",
            columns=(
                _column("rank", "Place", Kind.COUNT),
                _column("customer_id", "Number", Kind.TEXT),
                _column("customer", "Customer", Kind.TEXT),
                _column("completed_orders", "Orders", Kind.COUNT),
                _column("order_revenue", "From orders", Kind.MONEY),
                _column("subscription_revenue", "From subscriptions", Kind.MONEY),
                _column("lifetime_value", "Lifetime value", Kind.MONEY),
                _column("last_order_day", "Last order", Kind.DAY),
            ),
            draw=_top_customers,
        ),
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
                _column("rank", "Place", Kind.COUNT),
                _column("sku", "Article", Kind.TEXT),
                _column("product", "Product", Kind.TEXT),
                _column("category", "Category", Kind.TEXT),
                _column("units_sold", "Units", Kind.COUNT),
                _column("revenue", "Revenue", Kind.MONEY),
                _column("margin_ratio", "Margin", Kind.RATIO),
                _column("stock_quantity", "In stock", Kind.COUNT),
                _column("stock_cover_days", "Days of stock", Kind.DAYS),
            ),
            draw=_products,
        ),
    )
}
