"""Revenue: how it develops, what it is made of, what comes next."""

from __future__ import annotations

from typing import cast

from dashboards.charts import forecast, revenue
from dashboards.charts.breakdown import breakdown
from dashboards.charts.chart import Chart, Drawn, Kind, Request, Rows
from dashboards.charts.figure import FIFTH, GHOST, SECOND, SERIES
from dashboards.charts.from_model import meaning, model_named
from dashboards.charts.timeline import Mark, Shape, timeline
from dashboards.metrics.forecast import revenue_outlook
from dashboards.metrics.revenue import revenue_by_day
from dashboards.pages.page import Page, column


def _revenue(request: Request) -> Drawn:
    data = revenue_by_day(request.query, request.period)
    return Drawn(
        figure=revenue.revenue_figure(data, request.money),
        summary=revenue.revenue_summary(data, request.money),
        rows=cast("Rows", revenue.revenue_rows(data)),
        legend=revenue.revenue_legend(data),
    )


def _forecast(request: Request) -> Drawn:
    outlook = revenue_outlook(request.query, request.period)
    write = request.money.full
    return Drawn(
        figure=forecast.forecast_figure(outlook, write, Kind.MONEY, request.money) if outlook.tested else None,
        summary=forecast.forecast_summary(outlook, write, "revenue"),
        rows=cast("Rows", forecast.forecast_rows(outlook.ahead)),
        legend=forecast.forecast_legend() if outlook.tested else (),
        facts=forecast.forecast_facts(outlook.tested, write),
    )


REVENUE_BY_DAY = Chart(
    name="revenue",
    title="Revenue by day",
    scope=None,
    model="daily_revenue",
    definition=(
        "Revenue is the sum of the totals of completed orders, by the day of the order in your time zone. "
        "Refunded, cancelled and pending orders are not in it."
    ),
    columns=(
        column("day", "Day", Kind.DAY),
        column("revenue", "Revenue", Kind.MONEY),
        column("completed_orders", "Orders", Kind.COUNT),
        column("average_order_value", "Average", Kind.MONEY),
        column("refunded_orders", "Refunds", Kind.COUNT),
        column("refunded_amount", "Refunded", Kind.MONEY),
        column("cancelled_orders", "Cancelled", Kind.COUNT),
        column("new_customers", "New customers", Kind.COUNT),
    ),
    draw=_revenue,
    is_wide=True,
    height="tall",
)

REVENUE_FORECAST = Chart(
    name="revenue-forecast",
    title="Revenue in the next four weeks",
    scope="Next 28 days",
    model="daily_forecast",
    definition=meaning(model_named("daily_forecast"), ("forecast", "lower_80", "error", "baseline_error")),
    columns=(
        column("day", "Day", Kind.DAY),
        column("forecast", "Most likely", Kind.MONEY),
        column("lower_80", "80% from", Kind.MONEY),
        column("upper_80", "80% to", Kind.MONEY),
        column("lower_95", "95% from", Kind.MONEY),
        column("upper_95", "95% to", Kind.MONEY),
    ),
    draw=_forecast,
    is_wide=True,
)

PAGE = Page(
    name="revenue",
    title="Revenue",
    question="How does revenue develop, and what comes next?",
    charts=(
        REVENUE_BY_DAY,
        REVENUE_FORECAST,
        timeline(
            name="revenue-by-month",
            title="Revenue by month, new and returning customers",
            model="monthly_revenue",
            by="month",
            marks=(
                Mark(column="new_customer_revenue", label="New customers", color=SECOND),
                Mark(column="returning_customer_revenue", label="Returning customers", color=SERIES),
            ),
            is_stacked=True,
            also=("revenue", "orders", "completed_orders", "average_order_value", "discount", "buyers", "is_complete"),
            empty="Nothing has been sold in the last 12 months.",
        ),
        breakdown(
            name="revenue-by-category",
            title="Product revenue by category",
            model="category_revenue_monthly",
            split=("category",),
            amount="revenue",
            empty="No product has been sold in the last 12 months.",
        ),
        timeline(
            name="order-value-by-week",
            title="Average order by week",
            model="weekly_revenue",
            by="week",
            marks=(Mark(column="average_order_value", label="Average order", color=SERIES),),
            shape=Shape.LINE,
            also=("completed_orders", "revenue", "new_customers", "returning_customers", "is_complete"),
            empty="No order has been completed in the last 26 weeks.",
        ),
        timeline(
            name="lost-orders-by-week",
            title="Refunded and cancelled by week",
            model="weekly_revenue",
            by="week",
            marks=(
                Mark(column="refund_ratio", label="Refunded", color=FIFTH),
                Mark(column="cancellation_ratio", label="Cancelled", color=GHOST),
            ),
            shape=Shape.LINE,
            also=("refunded_orders", "refunded_amount", "cancelled_orders", "cancelled_amount", "is_complete"),
            empty="No order has been refunded or cancelled in the last 26 weeks.",
        ),
    ),
)
