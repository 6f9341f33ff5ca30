"""Activity: who visits the shop, and how far visits get."""

from __future__ import annotations

from typing import cast

from dashboards import formats
from dashboards.charts import forecast, funnel
from dashboards.charts.chart import Chart, Drawn, Kind, Request, Rows
from dashboards.charts.figure import GHOST, SECOND, SERIES
from dashboards.charts.from_model import meaning, model_named
from dashboards.charts.timeline import Mark, Shape, timeline
from dashboards.metrics.forecast import active_customers_outlook
from dashboards.metrics.funnel import funnel_steps
from dashboards.pages.page import Page, column


def _funnel(request: Request) -> Drawn:
    steps = funnel_steps(request.query, request.period)
    return Drawn(
        figure=funnel.funnel_figure(steps) if steps[0].visits else None,
        summary=funnel.funnel_summary(steps),
        rows=cast("Rows", funnel.funnel_rows(steps)),
    )


def _forecast(request: Request) -> Drawn:
    outlook = active_customers_outlook(request.query, request.period)

    def write(value: float) -> str:
        return formats.number(value)

    return Drawn(
        figure=forecast.forecast_figure(outlook, write, Kind.COUNT, request.money) if outlook.tested else None,
        summary=forecast.forecast_summary(outlook, write, "visits of known customers"),
        rows=cast("Rows", forecast.forecast_rows(outlook.ahead)),
        legend=forecast.forecast_legend() if outlook.tested else (),
        facts=forecast.forecast_facts(outlook.tested, write),
    )


PAGE = Page(
    name="activity",
    title="Activity",
    question="Who visits the shop, and how far do visits get?",
    charts=(
        timeline(
            name="active-customers",
            title="Active customers",
            model="daily_active_customers",
            by="day",
            marks=(
                Mark(column="monthly_active", label="In 30 days", color=GHOST),
                Mark(column="weekly_active", label="In 7 days", color=SECOND),
                Mark(column="daily_active", label="On the day", color=SERIES),
            ),
            shape=Shape.LINE,
            also=("stickiness", "is_complete"),
            empty="No known customer has visited the shop in these days.",
            is_wide=True,
        ),
        Chart(
            name="active-customers-forecast",
            title="Active customers in the next four weeks",
            scope="Next 28 days",
            model="daily_forecast",
            definition=meaning(model_named("daily_forecast"), ("forecast", "lower_80", "error", "baseline_error")),
            columns=(
                column("day", "Day", Kind.DAY),
                column("forecast", "Most likely", Kind.NUMBER),
                column("lower_80", "80% from", Kind.NUMBER),
                column("upper_80", "80% to", Kind.NUMBER),
                column("lower_95", "95% from", Kind.NUMBER),
                column("upper_95", "95% to", Kind.NUMBER),
            ),
            draw=_forecast,
            is_wide=True,
        ),
        Chart(
            name="funnel",
            title="From a visit to a purchase",
            scope=None,
            model="daily_visits",
            definition=meaning(
                model_named("daily_visits"),
                ("page_view_visits", "product_view_visits", "add_to_cart_visits", "checkout_visits", "purchase_visits"),
            ),
            columns=(
                column("step", "Step", Kind.TEXT),
                column("visits", "Visits", Kind.COUNT),
                column("step_ratio", "Of the step before", Kind.RATIO),
                column("overall_ratio", "Of all", Kind.RATIO),
            ),
            draw=_funnel,
            height="few-bars",
        ),
        timeline(
            name="visits",
            title="Visits by day",
            model="daily_visits",
            by="day",
            marks=(Mark(column="visits", label="Visits", color=SERIES),),
            also=(
                "known_visits",
                "bounced_visits",
                "bounce_ratio",
                "events_per_visit",
                "average_seconds",
                "conversion_ratio",
            ),
            empty="There was no visit in these days.",
        ),
    ),
)
