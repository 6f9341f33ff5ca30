"""Gold in memory: real models over given silver, asked as the dashboards ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from etl.engine.gold_select import gold_select
from etl.gold.compile import compile_models, load_models
from etl.ports.query_engine import Value
from tests.unit.etl.gold.silver import COLUMNS, compute_needed, open_silver

AS_OF = datetime(2026, 7, 1, 12, tzinfo=UTC)
COMPILED = compile_models(load_models(), silver=COLUMNS)


class GoldInMemory:
    """Stands where `TenantQuery` stands; the given silver is one tenant's."""

    def __init__(self, given: Mapping[str, Iterable[Mapping[str, object]]], *, as_of: datetime = AS_OF) -> None:
        self._connection = open_silver(given)
        self._as_of = as_of

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> tuple[tuple[Value, ...], ...]:
        """Answer a query, refused here if the product's engine would refuse it."""
        select = gold_select(sql)
        compute_needed(self._connection, select.tables, COMPILED, as_of=self._as_of)
        return tuple(self._connection.execute(select.sql, list(parameters)).fetchall())


def order(number: int, day: str, total: str = "10.00", **fields: object) -> dict[str, object]:
    """Return an order of tenant 1, at noon UTC of a day of 2026 such as ``06-30``."""
    moment = f"2026-{day}T12:00:00Z"
    return {"id": number, "tenant_id": 1, "customer_id": 1, "total": total, "order_date": moment, **fields}
