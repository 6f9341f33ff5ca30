"""Customers at risk, and how far the risks can be trusted."""

from __future__ import annotations

from dashboards import formats
from dashboards.charts.chart import Fact
from dashboards.metrics.churn import ChurnRisks
from etl.gold.transforms.churn_risk import MIN_CUSTOMERS, WINDOW_DAYS


def churn_summary(risks: ChurnRisks) -> str:
    """Return what the table shows, in one or two sentences; or why it shows nobody."""
    tested = risks.tested
    if tested is None:
        return (
            f"Too little history to tell who might leave: it takes {MIN_CUSTOMERS} active customers at each of two "
            f"past days, {WINDOW_DAYS} and {2 * WINDOW_DAYS} days ago, of whom some came back and some did not."
        )
    if not tested.tells_customers_apart:
        return (
            "No method told customers apart better than the average of all, so everybody has the same probability "
            f"of not buying within {WINDOW_DAYS} days, and the order below means nothing."
        )
    everybody = risks.high + risks.medium + risks.low
    return (
        f"{formats.count(risks.high)} of {formats.plural(everybody, 'active customer')} are unlikely to buy again "
        f"within {WINDOW_DAYS} days (risk high: two thirds and more); {formats.count(risks.medium)} may go either way."
    )


def churn_facts(risks: ChurnRisks) -> tuple[Fact, ...]:
    """Return how the method did on customers whose outcome is known."""
    tested = risks.tested
    if tested is None:
        return ()
    points = formats.number(tested.calibration_error * 100)
    return (
        Fact(
            name="Squared error in the back-test",
            value=formats.number(tested.brier_score, places=3),
            note=f"over {formats.plural(tested.customers_judged, 'customer')} of {WINDOW_DAYS} days ago; 0 is perfect",
        ),
        Fact(
            name="Error of the baseline",
            value=formats.number(tested.baseline_brier_score, places=3),
            note="everybody the average",
        ),
        Fact(
            name="Calibration",
            value=f"{points} points off",
            note="between probability and share really lost, mean of five groups",
        ),
        Fact(name="Method", value=tested.method.capitalize(), note=f"version {tested.model_version}"),
    )


def churn_rows(risks: ChurnRisks) -> tuple[tuple[object, ...], ...]:
    """Return the table: most at risk first."""
    return tuple(
        (
            each.customer_id, each.name, each.probability, each.risk, each.reason, each.last_order_day,
            each.lifetime_value,
        )
        for each in risks.customers
    )  # fmt: skip
