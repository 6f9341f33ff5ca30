"""Gold in a real lake: one snapshot a model, nothing done twice, nothing wrong committed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyiceberg.table import StaticTable, Table

from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.gold.compile import MODELS_FOLDER, load_models
from etl.gold.materialise import materialise
from etl.gold.model import FrontMatterError, UnknownReferenceError
from etl.gold.refresh import AS_OF, INPUTS
from etl.gold.results import GoldIncompleteError, ModelResult, Outcome
from etl.jobs import silver_to_gold
from etl.jobs.progress import Progress
from etl.jobs.silver_to_gold import SilverToGold
from etl.ports.catalog import TableMissingError
from etl.quality.execute import Verdict
from tests.lakes import lake_in
from tests.servers import Database
from tests.silver_lake import write_silver

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SHOPS = {
    "tenants": [{"id": 1, "name": "One"}, {"id": 2, "name": "Two", "timezone": "Asia/Tokyo"}],
    "customers": [{"id": 1, "tenant_id": 1}, {"id": 2, "tenant_id": 2}],
    "orders": [
        {"id": 1, "tenant_id": 1, "customer_id": 1, "total": "10.50", "order_date": "2026-06-30 20:00:00+00"},
        {"id": 2, "tenant_id": 2, "customer_id": 2, "total": "7.00", "order_date": "2026-06-30 20:00:00+00"},
    ],
}
FIRST = """/* model
title: First
question: What?
grain: [tenant_id]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id: {type: bigint, description: The tenant.}
  amount: {type: "decimal(38,2)", unit: tenant currency, description: The money.}
checks:
  - name: amounts_are_small
    sql: SELECT tenant_id FROM gold.first WHERE amount > 100
*/
SELECT tenant_id, SUM(total) AS amount FROM silver.orders GROUP BY tenant_id
"""
SECOND = (
    FIRST.replace("title: First", "title: Second")
    .replace("gold.first", "gold.second")
    .replace("SUM(total) AS amount FROM silver.orders GROUP BY tenant_id", "amount FROM gold.first")
)
OTHER = (
    FIRST.replace("title: First", "title: Other")
    .replace("gold.first", "gold.other")
    .replace(
        "SUM(total) AS amount FROM silver.orders GROUP BY tenant_id",
        "COUNT(*) AS amount FROM silver.customers GROUP BY 1",
    )
    .replace("GROUP BY 1", "GROUP BY tenant_id")
)


@pytest.fixture
def lake(scratch_database: Callable[[], Database], tmp_path: Path) -> LakeConfig:
    return lake_in(tmp_path, scratch_database().catalog_url)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of three models: ``second`` reads ``first``, ``other`` neither."""
    folder = tmp_path / "models"
    folder.mkdir()
    for name, text in {"first": FIRST, "second": SECOND, "other": OTHER}.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Callable[..., Path]:
    """Copy some of the product's own models into a folder, for tests that have no use for all of them."""

    def copy(*names: str) -> Path:
        folder = tmp_path / "shipped"
        folder.mkdir()
        for name in names:
            shutil.copy(MODELS_FOLDER / f"{name}.sql", folder)
        return folder

    return copy


def run(lake: LakeConfig, models: Path | None = None, as_of: datetime | None = NOON) -> dict[str, ModelResult]:
    options = {} if models is None else {"models_folder": models}
    return {result.table: result for result in materialise(lake, Progress(), as_of=as_of, **options)}


def table(lake: LakeConfig, name: str) -> Table:
    with open_catalog(lake) as catalog:
        return catalog.load_table(name)


def rows(lake: LakeConfig, name: str) -> list[dict[str, object]]:
    """Read the table with pyiceberg alone."""
    found = table(lake, name).scan().to_arrow().to_pylist()
    return sorted(found, key=lambda row: row["tenant_id"])


def files_in(lake: LakeConfig, name: str) -> set[Path]:
    return set(Path(lake.warehouse, *name.split(".")).rglob("*.parquet"))


def test_every_model_is_one_snapshot_that_names_its_inputs(lake: LakeConfig) -> None:
    write_silver(lake, SHOPS)
    results = run(lake)
    assert {result.outcome for result in results.values()} == {Outcome.WRITTEN}
    for name, result in results.items():
        written = table(lake, name)
        (snapshot,) = written.snapshots()
        assert result.pin is not None
        assert result.pin.snapshot_id == snapshot.snapshot_id
        assert result.pin.metadata_location == written.metadata_location
        assert result.pin.rows == result.rows == len(rows(lake, name))
        inputs = json.loads(snapshot.summary.additional_properties[INPUTS])
        assert inputs == {each: table(lake, each).current_snapshot().snapshot_id for each in inputs}
        assert snapshot.summary.additional_properties[AS_OF] == NOON.isoformat()
        by = [] if name == "gold.platform_usage" else ["tenant_id"]
        assert [field.name for field in written.spec().fields] == by
    assert "silver.orders" in json.loads(
        table(lake, "gold.daily_revenue").current_snapshot().summary.additional_properties[INPUTS]
    )


def test_another_iceberg_reader_gets_typed_rows(lake: LakeConfig, shipped: Callable[..., Path]) -> None:
    write_silver(lake, SHOPS)
    run(lake, shipped("daily_revenue"))
    first, second = rows(lake, "gold.daily_revenue")
    assert (first["tenant_id"], first["day"], first["revenue"]) == (1, date(2026, 6, 30), Decimal("10.50"))
    assert (second["tenant_id"], second["day"], second["revenue"]) == (2, date(2026, 7, 1), Decimal("7.00"))
    assert str(table(lake, "gold.daily_revenue").schema().find_type("revenue")) == "decimal(38, 2)"


def test_the_same_again_does_nothing(lake: LakeConfig, shipped: Callable[..., Path]) -> None:
    write_silver(lake, SHOPS)
    models = shipped("daily_revenue", "customer_days", "monthly_revenue", "invoice_ageing")
    before = run(lake, models)
    after = run(lake, models)
    assert {result.outcome for result in after.values()} == {Outcome.UNCHANGED}
    assert {name: result.pin for name, result in after.items()} == {name: result.pin for name, result in before.items()}


def test_only_what_reads_a_changed_table_is_computed(lake: LakeConfig, shipped: Callable[..., Path]) -> None:
    write_silver(lake, SHOPS)
    models = shipped(
        "customer_days", "customer_lifetime_value", "customer_acquisition_monthly", "daily_revenue", "tenant_summary"
    )
    run(lake, models)
    write_silver(
        lake, {"invoices": [{"id": 1, "tenant_id": 1, "customer_id": 1, "subscription_id": 3, "amount": "2.00"}]}
    )
    outcomes = {name: result.outcome for name, result in run(lake, models).items()}
    assert outcomes == {
        "gold.customer_days": Outcome.UNCHANGED,
        "gold.customer_lifetime_value": Outcome.WRITTEN,
        "gold.customer_acquisition_monthly": Outcome.WRITTEN,
        "gold.daily_revenue": Outcome.UNCHANGED,
        "gold.tenant_summary": Outcome.UNCHANGED,
    }
    assert [row["lifetime_value"] for row in rows(lake, "gold.customer_lifetime_value")] == [
        Decimal("12.50"),
        Decimal("7.00"),
    ]


def test_a_transform_is_made_anew_when_half_of_its_promise_has_passed(
    lake: LakeConfig, shipped: Callable[..., Path]
) -> None:
    models = shipped("daily_revenue", "daily_active_customers", "daily_forecast")
    days = [NOON - timedelta(days=number) for number in range(120)]
    orders = [
        {"id": number, "tenant_id": 1, "customer_id": 1, "total": "10.00", "order_date": day.isoformat()}
        for number, day in enumerate(days)
    ]
    write_silver(lake, {**SHOPS, "orders": orders})
    first = run(lake, models)["gold.daily_forecast"]
    forecast = rows(lake, "gold.daily_forecast")
    assert (first.outcome, first.rows) == (Outcome.WRITTEN, 28)
    assert {row["trained_to"] for row in forecast} == {(NOON - timedelta(days=1)).date()}
    assert {round(row["forecast"]) for row in forecast} == {10}

    write_silver(lake, {"orders": orders[:-1]})
    young = run(lake, models, as_of=NOON + timedelta(hours=11))["gold.daily_forecast"]
    assert (young.outcome, young.pin) == (Outcome.DEFERRED, replace(first.pin, as_of=NOON.isoformat()))
    later = run(lake, models, as_of=NOON + timedelta(hours=12))["gold.daily_forecast"]
    assert later.outcome is Outcome.WRITTEN

    write_silver(lake, {"orders": orders})
    restored = run(lake, models, as_of=NOON)["gold.daily_forecast"]
    assert restored.outcome is Outcome.WRITTEN, "an older moment is never answered with a later forecast"


def test_rows_that_are_gone_from_silver_are_gone_from_gold(lake: LakeConfig, shipped: Callable[..., Path]) -> None:
    models = shipped("daily_revenue")
    write_silver(lake, SHOPS)
    first = run(lake, models)["gold.daily_revenue"]
    write_silver(lake, {"orders": SHOPS["orders"][:1]})
    assert [row["tenant_id"] for row in (run(lake, models), rows(lake, "gold.daily_revenue"))[1]] == [1]
    write_silver(lake, {"orders": []})
    assert run(lake, models)["gold.daily_revenue"].rows == 0
    assert rows(lake, "gold.daily_revenue") == []
    pinned = StaticTable.from_metadata(first.pin.metadata_location).scan(snapshot_id=first.pin.snapshot_id)
    assert pinned.to_arrow().num_rows == 2


def test_without_a_given_time_gold_stands_at_silvers_latest_commit(
    lake: LakeConfig, shipped: Callable[..., Path]
) -> None:
    write_silver(lake, SHOPS, committed_at="2026-06-15 10:00:00+00")
    write_silver(lake, {"customers": SHOPS["customers"]}, committed_at="2026-06-20 23:30:00+00")
    run(lake, shipped("tenant_summary"), as_of=None)
    assert [row["as_of_day"] for row in rows(lake, "gold.tenant_summary")] == [date(2026, 6, 20), date(2026, 6, 21)]


def test_a_failing_check_stops_the_commit_and_what_depends_on_it(lake: LakeConfig, models: Path) -> None:
    write_silver(lake, SHOPS)
    good = run(lake, models)
    files = files_in(lake, "gold.first")
    write_silver(lake, {"orders": [{**order, "total": "500.00"} for order in SHOPS["orders"]], "customers": []})
    with pytest.raises(GoldIncompleteError) as caught:
        run(lake, models)
    assert "gold.first failed: gold.first keeps its last good version: amounts_are_small (2 rows) failed" in str(
        caught.value
    )
    assert "gold.second skipped: it reads gold.first" in str(caught.value)
    assert table(lake, "gold.first").metadata_location == good["gold.first"].pin.metadata_location
    assert table(lake, "gold.second").metadata_location == good["gold.second"].pin.metadata_location
    assert files_in(lake, "gold.first") == files
    assert rows(lake, "gold.other") == []
    write_silver(lake, SHOPS)
    assert run(lake, models)["gold.second"].outcome is Outcome.WRITTEN


def test_a_warning_is_committed_and_told(lake: LakeConfig, models: Path) -> None:
    text = FIRST.replace(
        "WHERE amount > 100\n", "WHERE amount > 5\n    severity: warn\n  - range: {column: amount, max: 6}\n"
    )
    (models / "first.sql").write_text(text)
    write_silver(lake, SHOPS)
    first = run(lake, models)["gold.first"]
    assert first.outcome is Outcome.WRITTEN
    found = {each.name: (each.verdict, each.failing_rows, each.sample) for each in first.checks}
    both = ({"tenant_id": 1}, {"tenant_id": 2})
    assert found["amounts_are_small"] == found["range(amount)"] == (Verdict.WARNED, 2, both)
    assert found["unique(tenant_id)"] == (Verdict.PASSED, 0, ())
    assert len(rows(lake, "gold.first")) == 2


def test_the_volume_of_a_model_is_judged_by_its_own_snapshots(lake: LakeConfig, models: Path) -> None:
    (models / "first.sql").write_text(FIRST.replace("*/", "  - volume: {minimum_runs: 2}\n    severity: block\n*/"))
    for total in ("1.00", "2.00"):
        write_silver(lake, {**SHOPS, "orders": [{**each, "total": total} for each in SHOPS["orders"]]})
        first = run(lake, models)["gold.first"]
        assert first.checks[-1].verdict is Verdict.NOT_JUDGED
    write_silver(lake, {"orders": []})
    with pytest.raises(GoldIncompleteError, match=r"volume \(0 rows; usual are 2 .*\) failed") as caught:
        run(lake, models)
    (judged,) = [each for result in caught.value.results for each in result.checks if each.name == "volume"]
    assert judged.explanation == "0 rows; usual are 2 (median of 2 runs), tolerated 1 to 4."


def test_the_job_reports_what_failed_with_its_checks(lake: LakeConfig) -> None:
    write_silver(lake, {**SHOPS, "customers": [{**each, "name": None} for each in SHOPS["customers"]]})
    result = silver_to_gold.run(SilverToGold(lake=lake, as_of=NOON.isoformat()), Progress())
    assert result.problem is not None
    assert "gold.customer_lifetime_value failed" in result.problem
    blocked = [each for model in result.models for each in model.checks if each.verdict is Verdict.BLOCKED]
    assert {each.table for each in blocked} == {"gold.customer_lifetime_value"}
    assert blocked[0].sample[0] == {"tenant_id": 1, "customer_id": 1}


def test_a_model_that_cannot_be_computed_names_its_file(lake: LakeConfig, models: Path) -> None:
    write_silver(lake, SHOPS)
    text = FIRST.replace("SUM(total)", "SUM(CAST(number AS DECIMAL(38, 2)))")
    write_silver(lake, {"orders": [{**SHOPS["orders"][0], "number": "A-1"}]})
    (models / "first.sql").write_text(text)
    with pytest.raises(GoldIncompleteError, match=r"first\.sql cannot be computed: Conversion Error"):
        run(lake, models)
    assert rows(lake, "gold.other") != []
    with open_catalog(lake) as catalog:
        assert "gold.first" not in {".".join(name) for name in catalog.list_tables("gold")}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (FIRST.replace("title: First\n", ""), FrontMatterError),
        (FIRST.replace("SUM(total)", "SUM(totl)"), UnknownReferenceError),
    ],
)
def test_a_wrong_model_stops_all_before_anything_is_written(
    lake: LakeConfig, models: Path, text: str, error: type[Exception]
) -> None:
    write_silver(lake, SHOPS)
    (models / "first.sql").write_text(text)
    with pytest.raises(error, match=r"first\.sql:"):
        run(lake, models)
    assert not Path(lake.warehouse, "gold").exists()


def test_a_model_may_gain_lose_and_retype_columns(lake: LakeConfig, models: Path) -> None:
    write_silver(lake, SHOPS)
    before = run(lake, models)["gold.other"]
    columns = """  amount: {type: bigint, unit: customers, description: Now a count.}
  first_name: {type: text, description: New.}
"""
    text = OTHER.replace('  amount: {type: "decimal(38,2)", unit: tenant currency, description: The money.}\n', columns)
    (models / "other.sql").write_text(text.replace("COUNT(*) AS amount", "COUNT(*) AS amount, MIN(name) AS first_name"))
    run(lake, models)
    assert rows(lake, "gold.other") == [
        {"tenant_id": 1, "amount": 1, "first_name": "Ada"},
        {"tenant_id": 2, "amount": 1, "first_name": "Ada"},
    ]
    old = StaticTable.from_metadata(before.pin.metadata_location).scan(snapshot_id=before.pin.snapshot_id).to_arrow()
    assert old.column_names == ["tenant_id", "amount"]
    assert str(old.schema.field("amount").type) == "decimal128(38, 2)"


def test_without_silver_there_is_no_gold(lake: LakeConfig) -> None:
    with pytest.raises(TableMissingError, match="silver has no tables"):
        run(lake)
    write_silver(lake, {})
    with pytest.raises(TableMissingError, match="silver has no rows"):
        run(lake, as_of=None)


def test_the_job_runs_as_a_process_of_its_own(lake: LakeConfig, tmp_path: Path) -> None:
    write_silver(lake, SHOPS)
    document = {
        "arguments": {"lake": {"lake_uri": lake.lake_uri, "memory_limit_bytes": lake.memory_limit_bytes, "threads": 1}},
        "secrets": {"catalog_url": lake.catalog_url},
        "result_path": str(tmp_path / "result.json"),
        "progress_path": str(tmp_path / "progress.json"),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "etl.jobs", "silver_to_gold"],
        input=json.dumps(document), text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    result = json.loads((tmp_path / "result.json").read_text())["result"]
    (daily,) = [model for model in result["models"] if model["table"] == "gold.daily_revenue"]
    assert daily["outcome"] == "written"
    assert daily["rows"] == 2
    assert daily["pin"]["metadata_location"] == table(lake, "gold.daily_revenue").metadata_location
    assert {check["name"] for check in daily["checks"]} >= {"unique(tenant_id, day)", "no_order_is_lost"}
    assert all(check["failing_rows"] == 0 for check in daily["checks"])
    assert lake.catalog_url not in ended.stderr
    progress = json.loads((tmp_path / "progress.json").read_text())["progress"]
    assert progress == {"models": [], "done": len(load_models()), "of": len(load_models())}
