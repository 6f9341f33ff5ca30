"""Totals, products and definitions."""

from __future__ import annotations

from decimal import Decimal

from dashboards.metrics.definitions import freshness_promise_seconds, models
from dashboards.metrics.products import products_by_revenue
from dashboards.metrics.summary import tenant_summary
from dashboards.pages.registry import CHARTS
from tests.unit.dashboards.gold import GoldInMemory, order


def test_summary() -> None:
    summary = tenant_summary(GoldInMemory({"tenants": [{"id": 1}], "orders": [order(1, "06-01", "5.50")]}))
    assert summary is not None
    assert (summary.orders, summary.revenue, summary.mrr, summary.customers) == (1, Decimal("5.50"), Decimal(0), 0)


def test_a_tenant_gold_does_not_know() -> None:
    assert tenant_summary(GoldInMemory({})) is None


def test_products_best_first() -> None:
    gold = GoldInMemory(
        {
            "tenants": [{"id": 1}],
            "products": [{"id": number, "tenant_id": 1, "sku": f"S{number}"} for number in (1, 2, 3)],
            "orders": [order(1, "06-01")],
            "order_items": [{"id": 1, "tenant_id": 1, "order_id": 1, "product_id": 2, "quantity": 1, "total": "10.00"}],
        }
    )
    assert [(each.sku, each.rank) for each in products_by_revenue(gold, limit=2)] == [("S2", 1), ("S1", 2)]


def test_every_chart_names_a_model() -> None:
    assert {chart.model for chart in CHARTS.values()} <= {model.name for model in models()}


def test_a_page_is_stale_when_no_model_keeps_its_promise_any_more() -> None:
    assert freshness_promise_seconds() == 3600
