"""Rows of one model in an order, the first of them.

The SQL holds names from declarations of charts alone, which are columns of the model file.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.metrics.tenant_query import TenantQuery
from etl.gold.model import TENANT_COLUMN, GoldModel
from etl.ports.query_engine import Value


def first_rows(
    query: TenantQuery, model: GoldModel, *, columns: Sequence[str], order: str, limit: int
) -> tuple[tuple[Value, ...], ...]:
    """Return the first ``limit`` rows.

    Args:
        query: Whose rows.
        model: Of which model.
        columns: What to return of it.
        order: The column to order by, after a minus for the largest first; rows without a value come last.
        limit: How many.
    """
    direction = "DESC" if order.startswith("-") else "ASC"
    rest = [name for name in model.grain if name not in {TENANT_COLUMN, order.removeprefix("-")}]
    ordered = ", ".join([f"{order.removeprefix('-')} {direction} NULLS LAST", *rest])
    return query.rows(f"SELECT {', '.join(columns)} FROM {model.table} ORDER BY {ordered} LIMIT ?", (limit,))
