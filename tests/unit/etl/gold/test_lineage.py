"""Lineage as a person would list it, for two models by hand and for every column by rule."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest

from etl.contracts.table import Column, TableContract, TableId
from etl.gold.compile import load_models
from etl.gold.front_matter import parse_model
from etl.gold.lineage import Lineage, NodeUnknownError, Origin, Reader, build_lineage
from tests.unit.etl.gold.silver import TABLES

CHART = Reader(name="chart", title="Chart", columns=frozenset({"gold.daily_revenue.revenue", "gold.gone.revenue"}))


def contracts() -> Iterable[TableContract]:
    for table, columns in TABLES.items():
        named = enumerate(columns, start=1)
        yield TableContract(
            table=TableId.parse(table),
            version=3,
            columns=tuple(
                Column(name=name, attnum=number, source_type="text", type="text", nullable=True)
                for number, name in named
            ),
            key=("id",),
        )


@cache
def lineage() -> Lineage:
    return build_lineage(load_models(), contracts=contracts(), readers=[CHART])


def of(select: str, *columns: str) -> dict[str, Origin]:
    """Return the origins of a model of the test's own."""
    described = "\n".join(f"  {name}: {{type: text, description: x}}" for name in ("tenant_id", *columns))
    text = f"""/* model
title: M
question: What?
grain: [tenant_id]
{_freshness()}
incremental_key: [tenant_id]
columns:
{described}
checks: []
*/
{select}
"""
    only = build_lineage([parse_model(text, file="m.sql")], contracts=contracts())
    return dict(only.tables["gold.m"].columns)


def _freshness() -> str:
    from etl.gold.front_matter import _KEYS

    return next(f"{key}: 3600" for key in _KEYS if key.startswith("freshness"))


def silver(*columns: str) -> frozenset[str]:
    return frozenset(f"silver.{each}" for each in columns)


STATUS = "orders.status"
BY_HAND = {
    "gold.daily_revenue": {
        "tenant_id": (silver("orders.tenant_id"), frozenset()),
        "day": (silver("orders.order_date", "tenants.timezone"), frozenset()),
        "orders": (frozenset(), silver("orders", "tenants")),
        "completed_orders": (silver(STATUS), silver("orders", "tenants")),
        "revenue": (silver(STATUS, "orders.total"), frozenset()),
        "discount": (silver(STATUS, "orders.discount"), frozenset()),
        "refunded_amount": (silver(STATUS, "orders.total"), frozenset()),
        "buyers": (silver(STATUS, "orders.customer_id"), frozenset()),
        "new_customers": (frozenset(), silver("orders", "tenants")),
    },
    "gold.tenant_summary": {
        "name": (silver("tenants.name"), frozenset()),
        "as_of_day": (silver("tenants.timezone"), frozenset()),
        "customers": (frozenset(), silver("customers")),
        "average_order_value": (silver(STATUS, "orders.total"), silver("orders")),
        "paying_customers": (silver("subscriptions.customer_id", "subscriptions.monthly_amount"), frozenset()),
        "mrr": (silver("subscriptions.monthly_amount"), frozenset()),
        "last_order_at": (silver("orders.order_date"), frozenset()),
    },
}


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in BY_HAND.items() for column in columns]
)
def test_two_models_as_listed_by_hand(table: str, column: str) -> None:
    origin = lineage().tables[table].columns[column]
    assert (origin.columns, origin.counted) == BY_HAND[table][column]


def test_every_gold_column_comes_from_somewhere_or_says_why_not() -> None:
    gold = {name: table for name, table in lineage().tables.items() if table.zone == "gold"}
    assert len(gold) == len(load_models())
    for name, table in gold.items():
        for column, origin in table.columns.items():
            assert origin.columns or origin.counted or origin.reason, f"{name}.{column}"
            assert {each.rpartition(".")[0] for each in origin.columns} | origin.counted <= table.inputs


def test_every_column_that_comes_from_a_column_goes_back_to_the_source() -> None:
    for node, inputs in lineage().inputs.items():
        if inputs and node not in lineage().tables:
            assert any(each.startswith("source.") for each in lineage().upstream(node)), node


def test_both_directions_say_the_same() -> None:
    nodes = lineage().inputs
    for node in nodes:
        for up in lineage().inputs[node]:
            assert node in lineage().outputs[up]
            assert node in lineage().downstream(up)
            assert up in lineage().upstream(node)


def test_from_a_source_column_to_a_chart() -> None:
    assert "dashboard.chart" in lineage().downstream("source.orders.total")
    up = lineage().upstream("dashboard.chart")
    assert up[0] == "gold.daily_revenue.revenue"
    assert set(up[-2:]) == {"source.orders.total", "source.orders.status"}
    assert lineage().origin("dashboard.chart").columns == {"gold.daily_revenue.revenue"}


def test_a_column_that_only_filters_decides_about_the_table() -> None:
    assert "gold.tenant_summary" in lineage().decides("silver.subscriptions.is_trial")
    assert "gold.tenant_summary.mrr" not in lineage().downstream("silver.subscriptions.is_trial")
    assert lineage().decides("silver.customers.phone") == ()


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("SELECT id AS tenant_id, name AS c FROM silver.tenants", Origin(columns=silver("tenants.name"))),
        (
            (
                "WITH a AS (SELECT id, name AS n FROM silver.tenants), b AS (SELECT id, n AS m FROM a) "
                "SELECT id AS tenant_id, m AS c FROM b"
            ),
            Origin(columns=silver("tenants.name")),
        ),
        (
            (
                "SELECT id AS tenant_id, name AS c FROM silver.tenants "
                "UNION ALL SELECT tenant_id, sku AS other FROM silver.products"
            ),
            Origin(columns=silver("tenants.name", "products.sku")),
        ),
        (
            (
                "SELECT t.id AS tenant_id, (SELECT MAX(p.sku) FROM silver.products AS p WHERE p.tenant_id = t.id) AS c "
                "FROM silver.tenants AS t"
            ),
            Origin(columns=silver("products.sku", "products.tenant_id", "tenants.id")),
        ),
        (
            "SELECT id AS tenant_id, ROW_NUMBER() OVER (PARTITION BY plan ORDER BY name) AS c FROM silver.tenants",
            Origin(columns=silver("tenants.plan", "tenants.name")),
        ),
        (
            "SELECT tenant_id, COUNT(*) AS c FROM (SELECT tenant_id FROM silver.orders) AS o GROUP BY tenant_id",
            Origin(counted=silver("orders")),
        ),
        ("SELECT id AS tenant_id, 'x' AS c FROM silver.tenants", Origin(reason="a constant")),
        ("SELECT id AS tenant_id, AS_OF() AS c FROM silver.tenants", Origin(reason="the moment the data stands at")),
    ],
)
def test_every_shape_of_a_query_is_followed(select: str, expected: Origin) -> None:
    assert of(select, "c")["c"] == expected


def test_what_a_transform_makes_comes_from_all_it_is_given() -> None:
    model = next(each for each in load_models() if each.transform == "churn_risk")
    table = lineage().tables[model.table]
    made = next(name for name in model.column_names if name not in dict(model.selected))
    assert table.columns["customer_id"].columns < table.columns[made].columns


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ("gold.daily_revenue.revenu", "There is no column revenu: gold.daily_revenue has tenant_id, day"),
        ("gold.daily", "There is no gold.daily; known are gold."),
        ("nonsense", "known are source.tenants"),
        ("dashboard.chart.x", "dashboard.chart has no columns"),
    ],
)
def test_an_unknown_node_is_refused_with_those_that_are_known(node: str, says: str) -> None:
    for ask in (lineage().origin, lineage().upstream, lineage().downstream, lineage().decides):
        with pytest.raises(NodeUnknownError, match=says):
            ask(node)
