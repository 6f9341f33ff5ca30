"""What the models' SELECTs hand to their transforms, on cases small enough to compute by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from etl.gold.compile import compile_models, load_models
from etl.gold.front_matter import parse_model
from etl.gold.model import FrontMatterError, OutputMismatchError
from etl.gold.transforms import churn_risk
from tests.unit.etl.gold.silver import COLUMNS, compute_needed, open_silver

AS_OF = datetime(2026, 6, 30, 12, tzinfo=UTC)
COMPILED = {each.model.name: each for each in compile_models(load_models(), silver=COLUMNS)}


def gathered(name: str, given: dict[str, list[dict[str, object]]]) -> list[dict[str, object]]:
    connection = open_silver({"tenants": [{"id": 1, "timezone": "Europe/Paris"}], **given})
    compute_needed(connection, COMPILED[name].inputs, COMPILED.values(), as_of=AS_OF)
    sql = COMPILED[name].sql("duckdb", as_of=AS_OF)
    return connection.execute(f"SELECT * FROM ({sql}) ORDER BY ALL").to_arrow_table().to_pylist()


def order(number: int, day: str, *, status: str = "completed", total: str = "10.00") -> dict[str, object]:
    return {
        "id": number,
        "tenant_id": 1,
        "customer_id": 7,
        "status": status,
        "total": total,
        "order_date": f"{day}T10:00:00Z",
    }


def test_a_customer_is_seen_at_three_days_with_what_was_known_then():
    rows = gathered(
        "churn_risk",
        {
            "customers": [{"id": 7, "tenant_id": 1}],
            "orders": [
                order(1, "2026-01-11"),
                order(2, "2026-02-20", total="20.00"),
                order(3, "2026-03-10", status="refunded"),
                order(4, "2026-05-06", total="40.00"),  # Five days into the window after 1 May.
            ],
            "events": [
                {"id": n, "tenant_id": 1, "customer_id": 7, "session_id": visit, "created_at": f"{day}T10:00:00Z"}
                for n, (visit, day) in enumerate(
                    [("a", "2026-06-20"), ("a", "2026-06-20"), ("b", "2026-06-21"), ("c", "2026-04-25")]
                )
            ],
            "subscriptions": [
                {
                    "id": 1,
                    "tenant_id": 1,
                    "customer_id": 7,
                    "start_date": date(2026, 1, 1),
                    "end_date": date(2026, 5, 1),
                }
            ],
        },
    )

    by_sample = {row["sample"]: row for row in rows}
    # 2 March: bought on 11 January and 20 February; did not buy in the 60 days from then.
    assert by_sample["earlier"] == {
        "tenant_id": 1,
        "customer_id": 7,
        "sample": "earlier",
        "days_since_last_order": 10,
        "days_as_customer": 50,
        "orders_90d": 2,
        "revenue_90d": 30,
        "lost_orders_90d": 0,
        "days_between_orders": 40,
        "visits_30d": 0,
        "active_subscriptions": 1,
        "is_lost": True,
    }
    # 1 May: 11 January is 110 days ago; bought again within 60 days.
    assert by_sample["recent"] == by_sample["earlier"] | {
        "sample": "recent",
        "days_since_last_order": 70,
        "days_as_customer": 110,
        "orders_90d": 1,
        "revenue_90d": 20,
        "lost_orders_90d": 1,
        "visits_30d": 1,
        "is_lost": False,
    }
    # 30 June: two visits in the last 30 days, one of them with two events; nobody knows yet.
    assert by_sample["now"] == by_sample["earlier"] | {
        "sample": "now",
        "days_since_last_order": 55,
        "days_as_customer": 170,
        "orders_90d": 1,
        "revenue_90d": 40,
        "days_between_orders": 57.5,
        "visits_30d": 2,
        "active_subscriptions": 0,
        "is_lost": None,
    }


def test_who_has_not_bought_for_120_days_is_no_longer_judged():
    orders = [order(1, "2026-03-02"), {**order(2, "2026-03-01"), "customer_id": 8}]

    rows = gathered(
        "churn_risk", {"customers": [{"id": 7, "tenant_id": 1}, {"id": 8, "tenant_id": 1}], "orders": orders}
    )

    assert [row["customer_id"] for row in rows if row["sample"] == "now"] == [7]


def test_the_window_of_the_model_is_that_of_its_transform():
    text = COMPILED["churn_risk"].model.query.sql("duckdb")

    assert f"INTERVAL '{churn_risk.WINDOW_DAYS}' DAY" in text
    assert f"INTERVAL '{2 * churn_risk.WINDOW_DAYS}' DAY" in text
    assert f"< {churn_risk.WINDOW_DAYS}" in text


def test_series_are_those_of_the_tenants_days():
    rows = gathered(
        "daily_forecast",
        {
            "customers": [{"id": 7, "tenant_id": 1}],
            "orders": [order(1, "2026-06-01", total="12.50")],
            "events": [
                {"id": 1, "tenant_id": 1, "customer_id": 7, "session_id": "a", "created_at": "2026-06-01T22:30:00Z"},
                {"id": 2, "tenant_id": 1, "customer_id": 7, "session_id": "b", "created_at": "2026-06-02T08:00:00Z"},
                {"id": 3, "tenant_id": 1, "customer_id": 8, "session_id": "c", "created_at": "2026-06-02T08:00:00Z"},
            ],
        },
    )

    yesterday = date(2026, 6, 29)
    assert [(row["series"], row["day"], row["value"], row["last_day"]) for row in rows] == [
        ("active_customers", date(2026, 6, 2), 2.0, yesterday),
        ("revenue", date(2026, 6, 1), 12.5, yesterday),
    ]


class TestBadModels:
    def text(self, name: str = "daily_forecast") -> str:
        from etl.gold.compile import MODELS_FOLDER

        return (MODELS_FOLDER / f"{name}.sql").read_text()

    def test_an_unknown_transform_is_refused_with_the_known_ones(self):
        text = self.text().replace("transform: forecast", "transform: oracle")

        with pytest.raises(FrontMatterError, match=r"there is no transform oracle; there are churn_risk, forecast"):
            parse_model(text, file="daily_forecast.sql")

    def test_columns_have_to_be_what_it_makes(self):
        text = self.text().replace("{type: date, description: Last complete", "{type: text, description: Last complete")

        with pytest.raises(FrontMatterError, match="what the transform forecast makes, in order: tenant_id bigint"):
            parse_model(text, file="daily_forecast.sql")

    def test_the_select_has_to_give_what_it_takes(self):
        text = self.text().replace("AS value, y.last_day", "AS value, y.last_day AS until")
        inputs = [COMPILED[name].model for name in ("daily_revenue", "daily_active_customers")]
        models = [parse_model(text, file="daily_forecast.sql"), *inputs]

        with pytest.raises(OutputMismatchError, match="column until is selected but the transform forecast does not"):
            compile_models(models, silver=COLUMNS)
