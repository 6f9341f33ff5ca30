"""How far visits get on the way to a purchase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from dashboards.metrics.period import Period
from dashboards.metrics.tenant_query import TenantQuery

STEPS = ("viewed a page", "viewed a product", "put something into the cart", "went to the checkout", "purchased")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """One step, over the whole period."""

    name: str
    visits: int
    step_ratio: float | None
    """Of the visits of the step before; None at the first."""
    overall_ratio: float | None


def funnel_steps(query: TenantQuery, period: Period) -> tuple[FunnelStep, ...]:
    """Return the five steps over the period's days; visits are added up before anything is divided."""
    ((*sums,),) = query.rows(
        "SELECT SUM(page_view_visits) AS page, SUM(product_view_visits) AS product, SUM(add_to_cart_visits) AS cart,"
        " SUM(checkout_visits) AS checkout, SUM(purchase_visits) AS purchase"
        " FROM gold.daily_visits WHERE day >= ? AND day <= ?",
        (period.start, period.last),
    )
    visits = [int(cast("int", each or 0)) for each in sums]
    return tuple(
        FunnelStep(
            name=name,
            visits=visits[place],
            step_ratio=_ratio(visits[place], visits[place - 1]) if place else None,
            overall_ratio=_ratio(visits[place], visits[0]),
        )
        for place, name in enumerate(STEPS)
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
