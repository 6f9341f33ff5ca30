"""Customers: who comes, who stays, who is worth most, who might leave."""

from __future__ import annotations

from typing import cast

from dashboards.charts import acquisition, churn, cohorts, lifetime_value, segments
from dashboards.charts.chart import Chart, Drawn, Kind, Request, Rows
from dashboards.charts.figure import GHOST, SERIES
from dashboards.charts.from_model import meaning, model_named
from dashboards.charts.timeline import Mark, Shape, timeline
from dashboards.metrics.churn import churn_risks
from dashboards.metrics.cohorts import cohorts_of_a_year
from dashboards.metrics.customers import acquisition_by_month, top_customers, value_by_tenth
from dashboards.metrics.segments import customers_by_segment
from dashboards.pages.page import Page, column


def _acquisition(request: Request) -> Drawn:
    months = acquisition_by_month(request.query, request.period)
    return Drawn(
        figure=acquisition.acquisition_figure(months) if months else None,
        summary=acquisition.acquisition_summary(months),
        rows=cast("Rows", acquisition.acquisition_rows(months)),
        legend=acquisition.acquisition_legend(months),
    )


def _cohorts(request: Request) -> Drawn:
    months = cohorts_of_a_year(request.query, request.period)
    return Drawn(
        figure=None,
        summary=cohorts.cohorts_summary(months),
        rows=cast("Rows", cohorts.cohort_rows(months)),
        grid=cohorts.customers_grid(months) if months else None,
    )


def _revenue_cohorts(request: Request) -> Drawn:
    months = cohorts_of_a_year(request.query, request.period)
    return Drawn(
        figure=None,
        summary=cohorts.revenue_cohorts_summary(months),
        rows=cast("Rows", cohorts.cohort_rows(months)),
        grid=cohorts.revenue_grid(months) if months else None,
    )


def _segments(request: Request) -> Drawn:
    found = customers_by_segment(request.query)
    return Drawn(
        figure=segments.segments_figure(found, request.money) if found else None,
        summary=segments.segments_summary(found, request.money),
        rows=cast("Rows", segments.segments_rows(found)),
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


def _churn(request: Request) -> Drawn:
    risks = churn_risks(request.query, limit=request.limit)
    return Drawn(
        figure=None,
        summary=churn.churn_summary(risks),
        rows=cast("Rows", churn.churn_rows(risks)),
        facts=churn.churn_facts(risks),
    )


_COHORT_COLUMNS = (
    column("cohort_month", "First purchase", Kind.MONTH),
    column("month_number", "Months later", Kind.COUNT),
    column("cohort_size", "Buyers", Kind.COUNT),
    column("customers", "Bought again", Kind.COUNT),
    column("customer_retention", "Part of the buyers", Kind.RATIO),
    column("revenue", "Revenue", Kind.MONEY),
    column("revenue_retention", "Against month 0", Kind.RATIO),
)

ACQUISITION = Chart(
    name="acquisition",
    title="Customers won by month",
    scope="Last 12 months",
    model="customer_acquisition_monthly",
    definition=(
        "Signups are customers by the month they signed up; first-time buyers are customers by the month of "
        "their first completed order, whenever they signed up."
    ),
    columns=(
        column("month", "Month", Kind.MONTH),
        column("signups", "Signups", Kind.COUNT),
        column("signups_converted", "Have bought since", Kind.COUNT),
        column("converted_ratio", "Share", Kind.RATIO),
        column("new_customers", "First-time buyers", Kind.COUNT),
    ),
    draw=_acquisition,
)

PAGE = Page(
    name="customers",
    title="Customers",
    question="Who buys, who stays, and who might leave?",
    charts=(
        ACQUISITION,
        timeline(
            name="repeat-purchase",
            title="First-time buyers who came back",
            model="repeat_purchase",
            by="cohort_month",
            marks=(
                Mark(column="repeat_ratio_30_days", label="Within 30 days", color=SERIES),
                Mark(column="repeat_ratio_90_days", label="Within 90 days", color=GHOST),
            ),
            shape=Shape.LINE,
            also=("buyers", "repeat_buyers", "repeat_ratio", "average_days_to_second_order"),
            empty="No month of first-time buyers has had 30 days yet in which they could come back.",
        ),
        Chart(
            name="cohorts",
            title="How many of a month's first-time buyers still buy",
            scope="Cohorts of the last 12 months",
            model="cohort_retention",
            definition=meaning(model_named("cohort_retention"), ("cohort_size", "customers", "customer_retention")),
            columns=_COHORT_COLUMNS,
            draw=_cohorts,
            is_wide=True,
        ),
        Chart(
            name="revenue-cohorts",
            title="How much of a month's first-time buyers' revenue goes on",
            scope="Cohorts of the last 12 months",
            model="cohort_retention",
            definition=meaning(model_named("cohort_retention"), ("revenue", "revenue_retention")),
            columns=_COHORT_COLUMNS,
            draw=_revenue_cohorts,
            is_wide=True,
        ),
        Chart(
            name="churn-risk",
            title="Customers at risk",
            scope="Next 60 days",
            model="churn_risk",
            definition=meaning(
                model_named("churn_risk"), ("churn_probability", "risk", "main_reason", "calibration_error")
            ),
            columns=(
                column("customer_id", "Number", Kind.TEXT),
                column("customer", "Customer", Kind.TEXT),
                column("churn_probability", "Probability", Kind.RATIO),
                column("risk", "Risk", Kind.TEXT),
                column("main_reason", "Main reason", Kind.TEXT),
                column("last_order_day", "Last order", Kind.DAY),
                column("lifetime_value", "Lifetime value", Kind.MONEY),
            ),
            draw=_churn,
            is_wide=True,
        ),
        Chart(
            name="segments",
            title="Customers by segment",
            scope="Last 365 days",
            model="customer_segments",
            definition=meaning(
                model_named("customer_segments"), ("segment", "recency_score", "frequency_score", "money_score")
            ),
            columns=(
                column("segment", "Segment", Kind.TEXT),
                column("customers", "Customers", Kind.COUNT),
                column("revenue", "Revenue", Kind.MONEY),
                column("revenue_share", "Share", Kind.RATIO),
                column("average_days_since_last_order", "Days since last order", Kind.DAYS),
            ),
            draw=_segments,
            height="few-bars",
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
                column("tenth", "Tenth", Kind.COUNT),
                column("customers", "Customers", Kind.COUNT),
                column("lifetime_value", "Lifetime value", Kind.MONEY),
                column("share", "Share", Kind.RATIO),
                column("least", "From", Kind.MONEY),
                column("most", "To", Kind.MONEY),
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
                column("rank", "Place", Kind.COUNT),
                column("customer_id", "Number", Kind.TEXT),
                column("customer", "Customer", Kind.TEXT),
                column("completed_orders", "Orders", Kind.COUNT),
                column("order_revenue", "From orders", Kind.MONEY),
                column("subscription_revenue", "From subscriptions", Kind.MONEY),
                column("lifetime_value", "Lifetime value", Kind.MONEY),
                column("last_order_day", "Last order", Kind.DAY),
            ),
            draw=_top_customers,
            is_wide=True,
        ),
    ),
)
