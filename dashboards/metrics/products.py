"""Products: what each earns, and how long its stock lasts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from dashboards.metrics.tenant_query import TenantQuery

_Row = tuple[int, str, str, str, int, Decimal, Decimal, float | None, float | None, int, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One product since the beginning."""

    rank: int
    sku: str
    name: str
    category: str
    units_sold: int
    revenue: Decimal
    margin: Decimal
    margin_ratio: float | None
    revenue_share: float | None
    stock_quantity: int
    stock_cover_days: float | None


def products_by_revenue(query: TenantQuery, *, limit: int) -> tuple[Product, ...]:
    """Return the products that earned most; equal revenues in order of article number."""
    rows = query.rows(
        "SELECT revenue_rank, sku, name, category, units_sold, revenue, margin, margin_ratio, revenue_share,"
        " stock_quantity, stock_cover_days FROM gold.product_performance ORDER BY revenue DESC, sku LIMIT ?",
        (limit,),
    )
    return tuple(
        Product(
            rank=rank,
            sku=sku,
            name=name,
            category=category,
            units_sold=units,
            revenue=revenue,
            margin=margin,
            margin_ratio=margin_ratio,
            revenue_share=share,
            stock_quantity=stock,
            stock_cover_days=cover,
        )
        for rank, sku, name, category, units, revenue, margin, margin_ratio, share, stock, cover in cast(
            "tuple[_Row, ...]", rows
        )
    )
