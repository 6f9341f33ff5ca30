"""Forecasts and risks never claim more than their back-test, and say plainly when there is nothing to claim."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from dashboards.charts import churn, forecast
from dashboards.charts.chart import Kind
from dashboards.formats import Money
from dashboards.metrics.churn import ChurnRisks, ChurnTest, CustomerAtRisk
from dashboards.metrics.forecast import BackTest, DayAhead, Outlook
from etl.gold.transforms.forecast import MIN_DAYS

EUR = Money("EUR")
TODAY = date(2026, 7, 1)
TESTED = BackTest(
    method="exponential smoothing", error=80.0, baseline_error=100.0, coverage_80=0.79,
    trained_to=TODAY - timedelta(days=1), model_version="ets-1",
)  # fmt: skip
OUTLOOK = Outlook(
    past=tuple((TODAY - timedelta(days=ago), 10.0 * ago) for ago in (3, 2, 1)),
    ahead=tuple(
        DayAhead(day=TODAY + timedelta(days=n), value=50.0, lower_80=40.0, upper_80=60.0, lower_95=30.0, upper_95=70.0)
        for n in range(3)
    ),
    tested=TESTED,
    history_days=200,
)
RISKS = ChurnRisks(
    customers=(
        CustomerAtRisk(
            customer_id=7, name="Ada", probability=0.9, risk="high", reason="raised by time since the last order",
            last_order_day=TODAY, lifetime_value=Decimal(5),
        ),
    ),
    high=1, medium=2, low=3,
    tested=ChurnTest(
        method="logistic regression", tells_customers_apart=True, brier_score=0.12, baseline_brier_score=0.25,
        calibration_error=0.031, customers_judged=600, model_version="logistic-1",
    ),
)  # fmt: skip


def test_a_forecast_names_its_error_and_the_baselines() -> None:
    said = forecast.forecast_summary(OUTLOOK, EUR.full, "revenue")
    assert "off by €80.00 on average, 20% less than by repeating the week before" in said
    facts = {fact.name: fact.value for fact in forecast.forecast_facts(TESTED, EUR.full)}
    assert facts["Error in the back-test"] == "€80.00"
    assert facts["Error of the baseline"] == "€100.00"
    assert facts["Days inside the 80% band"] == "79.0%"
    assert [fact.note for fact in forecast.forecast_facts(TESTED, EUR.full)][-1] == "version ets-1"


def test_no_better_than_the_last_week_is_said_and_nothing_is_claimed() -> None:
    naive = replace(OUTLOOK, tested=replace(TESTED, method="same weekday of the week before", error=100.0))
    said = forecast.forecast_summary(naive, EUR.full, "revenue")
    assert said.startswith("No method erred less on the past than repeating the last week")
    assert "€100.00" in said
    assert "less than by" not in said


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "There is no revenue yet to forecast from."),
        (MIN_DAYS - 1, "Too little history for a forecast: it takes 15 weeks of revenue, and there are 14."),
    ],
)
def test_too_little_history_is_said(days: int, said: str) -> None:
    young = replace(OUTLOOK, ahead=(), tested=None, history_days=days)
    assert forecast.forecast_summary(young, EUR.full, "revenue") == said
    assert forecast.forecast_facts(None, EUR.full) == ()


def test_the_band_encloses_the_line() -> None:
    drawn = forecast.forecast_figure(OUTLOOK, EUR.full, Kind.MONEY, EUR)
    line, past, wide, narrow = drawn["data"]
    assert list(line["y"]) == [50.0] * 3
    assert list(past["y"]) == [30.0, 20.0, 10.0]
    assert list(narrow["y"]) == [60.0] * 3 + [40.0] * 3
    assert list(wide["y"]) == [70.0] * 3 + [30.0] * 3
    assert narrow["hoverinfo"] == wide["hoverinfo"] == "skip"
    assert "80 of 100 such days: €40.00 to €60.00" in json.dumps(drawn, ensure_ascii=False)


def test_risks_come_with_their_calibration() -> None:
    assert churn.churn_summary(RISKS).startswith("1 of 6 active customers are unlikely to buy again within 60 days")
    facts = {fact.name: (fact.value, fact.note) for fact in churn.churn_facts(RISKS)}
    assert facts["Squared error in the back-test"][0] == "0.120"
    assert facts["Error of the baseline"][0] == "0.250"
    assert facts["Calibration"][0] == "3.1 points off"
    assert "600 customers" in facts["Squared error in the back-test"][1]


def test_risks_that_tell_nothing_say_so() -> None:
    assert RISKS.tested is not None
    average = replace(RISKS, tested=replace(RISKS.tested, tells_customers_apart=False))
    assert churn.churn_summary(average).startswith("No method told customers apart better than the average of all")
    nobody = ChurnRisks(customers=(), high=0, medium=0, low=0, tested=None)
    assert churn.churn_summary(nobody).startswith("Too little history to tell who might leave: it takes 50 active")
    assert churn.churn_facts(nobody) == ()
