"""Which customers are likely to be lost, and how often such a statement was right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import cast

from dashboards.metrics.tenant_query import TenantQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerAtRisk:
    """One customer."""

    customer_id: int
    name: str | None
    probability: float
    risk: str
    """``high``, ``medium`` or ``low``."""
    reason: str
    last_order_day: date | None
    lifetime_value: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnTest:
    """How the method did on customers whose outcome is known by now."""

    method: str
    tells_customers_apart: bool
    """False where no better method was found than giving everybody the average."""
    brier_score: float
    baseline_brier_score: float
    calibration_error: float
    customers_judged: int
    model_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnRisks:
    """The customers most at risk, and how many there are of each risk."""

    customers: tuple[CustomerAtRisk, ...]
    high: int
    medium: int
    low: int
    tested: ChurnTest | None
    """None while there are too few customers to learn from; then there is nobody."""


def churn_risks(query: TenantQuery, *, limit: int) -> ChurnRisks:
    """Return the ``limit`` customers most at risk; equal probabilities in order of what a customer is worth."""
    judged = query.rows(
        "SELECT MIN(method) AS method, MIN(brier_score) AS brier, MIN(baseline_brier_score) AS baseline,"
        " MIN(calibration_error) AS calibration, MIN(customers_judged) AS judged, MIN(model_version) AS version,"
        " COUNT(*) FILTER (WHERE risk = 'high') AS high, COUNT(*) FILTER (WHERE risk = 'medium') AS medium,"
        " COUNT(*) FILTER (WHERE risk = 'low') AS low FROM gold.churn_risk"
    )
    ((method, brier, baseline, calibration, customers_judged, version, high, medium, low),) = cast(
        "tuple[tuple[str | None, float, float, float, int, str, int, int, int]]", judged
    )
    if method is None:
        return ChurnRisks(customers=(), high=0, medium=0, low=0, tested=None)
    rows = query.rows(
        "SELECT r.customer_id, c.customer_name, r.churn_probability, r.risk, r.main_reason, c.last_order_day,"
        " c.lifetime_value FROM gold.churn_risk AS r"
        " LEFT JOIN gold.customer_lifetime_value AS c ON c.customer_id = r.customer_id"
        " ORDER BY r.churn_probability DESC, c.lifetime_value DESC NULLS LAST, r.customer_id LIMIT ?",
        (limit,),
    )
    customers = tuple(
        CustomerAtRisk(
            customer_id=customer_id,
            name=name,
            probability=probability,
            risk=risk,
            reason=reason,
            last_order_day=last,
            lifetime_value=value,
        )
        for customer_id, name, probability, risk, reason, last, value in cast(
            "tuple[tuple[int, str | None, float, str, str, date | None, Decimal | None], ...]", rows
        )
    )
    tested = ChurnTest(
        method=method,
        tells_customers_apart=brier < baseline,
        brier_score=brier,
        baseline_brier_score=baseline,
        calibration_error=calibration,
        customers_judged=customers_judged,
        model_version=version,
    )
    return ChurnRisks(customers=customers, high=high, medium=medium, low=low, tested=tested)
