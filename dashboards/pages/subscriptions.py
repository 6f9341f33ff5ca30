"""Subscriptions: monthly recurring revenue, what moved it, and who stays."""

from __future__ import annotations

from typing import cast

from dashboards import formats
from dashboards.charts.chart import Chart, Drawn, Kind, Request, Rows
from dashboards.charts.figure import FIFTH, FOURTH, GHOST, SECOND, SERIES, THIRD
from dashboards.charts.from_model import meaning, model_named
from dashboards.charts.timeline import Mark, Shape, timeline
from dashboards.metrics.mrr_changes import newest_mrr_changes
from dashboards.pages.page import Page, column


def _mrr_changes(request: Request) -> Drawn:
    changes = newest_mrr_changes(request.query, limit=request.limit)
    if not changes:
        return Drawn(figure=None, summary="Nobody has had a paid subscription yet.", rows=())
    newest = changes[0]
    rows = tuple(
        (each.day, each.customer_id, each.name, each.movement, each.amount, each.before, each.after) for each in changes
    )
    summary = (
        f"The newest change is from {formats.day(newest.day)}: {newest.name or f'customer {newest.customer_id}'}, "
        f"{newest.movement}, {request.money.full(newest.amount)} a month."
    )
    return Drawn(figure=None, summary=summary, rows=cast("Rows", rows))


MRR = timeline(
    name="mrr",
    title="Monthly recurring revenue",
    model="mrr_monthly",
    by="month",
    marks=(Mark(column="end_mrr", label="MRR", color=SERIES),),
    also=("net_new_mrr", "arr", "paying_customers", "arpa", "predicted_lifetime_value", "is_complete"),
    empty="There has been no paid subscription in the last 12 months.",
)

PAGE = Page(
    name="subscriptions",
    title="Subscriptions",
    question="Does recurring revenue grow, and what moves it?",
    charts=(
        MRR,
        timeline(
            name="mrr-movements",
            title="What moved recurring revenue",
            model="mrr_monthly",
            by="month",
            marks=(
                Mark(column="new_mrr", label="New", color=SERIES),
                Mark(column="expansion_mrr", label="Expansion", color=THIRD),
                Mark(column="reactivation_mrr", label="Reactivation", color=FOURTH),
                Mark(column="contraction_mrr", label="Contraction", color=SECOND, is_loss=True),
                Mark(column="churn_mrr", label="Churn", color=FIFTH, is_loss=True),
            ),
            is_stacked=True,
            also=("start_mrr", "end_mrr", "net_new_mrr", "quick_ratio", "is_complete"),
            empty="No subscription has begun, changed or ended in the last 12 months.",
        ),
        timeline(
            name="churn",
            title="Churn by month",
            model="mrr_monthly",
            by="month",
            marks=(
                Mark(column="customer_churn_ratio", label="Customers", color=SERIES),
                Mark(column="gross_churn_ratio", label="Gross revenue", color=FIFTH),
                Mark(column="net_churn_ratio", label="Net revenue", color=GHOST),
            ),
            shape=Shape.LINE,
            also=("customers_at_start", "customers_lost", "start_mrr", "is_complete"),
            empty="No month has begun with a paying customer yet.",
        ),
        timeline(
            name="trial-conversion",
            title="Trials that turn into paying customers",
            model="trial_conversion",
            by="month",
            marks=(
                Mark(column="trials_started", label="Started", color=GHOST),
                Mark(column="trials_converted", label="Converted", color=SERIES),
            ),
            also=("conversion_ratio", "is_complete"),
            empty="No trial has started in the last 12 months.",
        ),
        Chart(
            name="mrr-changes",
            title="Newest changes",
            scope="Since the beginning",
            model="mrr_changes",
            definition=meaning(model_named("mrr_changes"), ("movement", "amount", "mrr_after")),
            columns=(
                column("day", "Day", Kind.DAY),
                column("customer_id", "Number", Kind.TEXT),
                column("customer", "Customer", Kind.TEXT),
                column("movement", "Movement", Kind.TEXT),
                column("amount", "Amount", Kind.MONEY),
                column("mrr_before", "Before", Kind.MONEY),
                column("mrr_after", "After", Kind.MONEY),
            ),
            draw=_mrr_changes,
            is_wide=True,
        ),
    ),
)
