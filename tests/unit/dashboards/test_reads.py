"""The dashboards' end of the lineage: every chart reads its model, and nothing it does not ask for."""

from __future__ import annotations

from dashboards.pages.registry import CHARTS
from dashboards.reads import dashboard_readers

READERS = {reader.name: reader.columns for reader in dashboard_readers()}


def test_every_chart_and_the_key_figures_read_gold() -> None:
    assert READERS.keys() == {"key-figures", *CHARTS}
    for name, chart in CHARTS.items():
        assert any(each.startswith(f"gold.{chart.model}.") for each in READERS[name]), name


def test_a_chart_reads_what_its_question_names() -> None:
    table = "gold.customer_acquisition_monthly"
    assert READERS["acquisition"] == {
        f"{table}.{c}" for c in ("month", "signups", "signups_converted", "new_customers")
    }
    assert READERS["lifetime-value"] == {f"gold.customer_lifetime_value.{c}" for c in ("lifetime_value", "customer_id")}
    assert "gold.tenant_summary.mrr" in READERS["key-figures"]
    assert "gold.tenant_summary.mrr" not in READERS["revenue"]
