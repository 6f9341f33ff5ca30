"""Invoices: what is billed, what is paid, what is owed."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from dashboards import formats
from dashboards.charts.chart import Rows
from dashboards.charts.figure import FIFTH, GHOST, SERIES
from dashboards.charts.listing import listing
from dashboards.charts.timeline import Mark, Shape, timeline
from dashboards.formats import Money
from dashboards.pages.page import Page


def _ageing_sentence(rows: Rows, money: Money) -> str:
    """Say what is owed, and how much of it has been due for long."""
    amounts = [cast("Decimal", amount) for *_, amount in rows]
    owed = sum(amounts, Decimal(0))
    if not owed:
        return "Nothing is owed."
    due = sum(amounts[1:], Decimal(0))
    return (
        f"{money.full(owed)} is owed; {money.full(due)} of it ({formats.percent(due / owed)}) is past its due date, "
        f"{money.full(amounts[-1])} by more than 90 days."
    )


PAGE = Page(
    name="invoices",
    title="Invoices",
    question="How much is owed, and how fast is it paid?",
    charts=(
        listing(
            name="invoice-ageing",
            title="Owed by days past the due date",
            scope="Now",
            model="invoice_ageing",
            columns={"bucket": "Days past due", "invoices": "Invoices", "amount": "Amount"},
            order="bucket_number",
            bars=("bucket", "amount"),
            sentence=_ageing_sentence,
        ),
        timeline(
            name="overdue",
            title="Outstanding and overdue at the end of the month",
            model="invoices_monthly",
            by="month",
            marks=(
                Mark(column="outstanding_amount", label="Outstanding", color=GHOST),
                Mark(column="overdue_amount", label="Overdue", color=FIFTH),
            ),
            also=("outstanding_invoices", "overdue_invoices", "is_complete"),
            empty="Nothing has been outstanding at the end of any of the last 12 months.",
        ),
        timeline(
            name="billed-and-paid",
            title="Billed and paid by month",
            model="invoices_monthly",
            by="month",
            marks=(
                Mark(column="billed_amount", label="Billed", color=GHOST),
                Mark(column="paid_amount", label="Paid", color=SERIES),
            ),
            also=("invoices_issued", "invoices_paid", "paid_late", "is_complete"),
            empty="No invoice has been issued in the last 12 months.",
        ),
        timeline(
            name="days-to-pay",
            title="How many days it takes to be paid",
            model="invoices_monthly",
            by="month",
            marks=(Mark(column="average_days_to_pay", label="Days to pay", color=SERIES),),
            shape=Shape.LINE,
            also=("invoices_paid", "paid_late", "is_complete"),
            empty="No invoice has been paid in the last 12 months.",
        ),
    ),
)
