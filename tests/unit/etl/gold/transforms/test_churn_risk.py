from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from etl.gold.transforms import churn_risk
from etl.gold.transforms.churn_risk import FEATURES, MIN_CUSTOMERS, calibration_error, transform


def customers(count: int, *, tenant_id: int = 1, seed: int = 1, signal: float = 2.0, rate: float = 0.0) -> pa.Table:
    """Customers whose loss depends on the time since their last order, by a known law."""
    random = np.random.default_rng(seed)
    parts = []
    for sample in ("earlier", "recent", "now"):
        features = {name: random.normal(10, 3, count) for name in FEATURES}
        odds = signal * (features["days_since_last_order"] - 10) / 3 + rate
        lost = random.random(count) < 1 / (1 + np.exp(-odds))
        parts.append(
            pa.table(
                {
                    "tenant_id": [tenant_id] * count,
                    "customer_id": np.arange(1, count + 1),
                    "sample": [sample] * count,
                    **features,
                    "is_lost": pa.array([None] * count, pa.bool_()) if sample == "now" else lost,
                }
            )
        )
    return pa.concat_tables(parts)


def test_probabilities_are_those_of_the_law():
    rows = customers(4000)

    found = transform(rows)

    now = rows.filter(pa.compute.equal(rows["sample"], "now"))
    odds = 2.0 * (now["days_since_last_order"].to_numpy() - 10) / 3
    assert np.abs(found["churn_probability"].to_numpy() - 1 / (1 + np.exp(-odds))).mean() < 0.03


def test_it_is_calibrated_and_better_than_the_average():
    (row,) = transform(customers(4000)).slice(0, 1).to_pylist()

    assert row["method"] == "logistic regression"
    assert row["brier_score"] < 0.75 * row["baseline_brier_score"]
    assert row["calibration_error"] < 0.03


def test_the_reason_names_the_feature_that_decides():
    found = transform(customers(2000))

    reasons = found["main_reason"].to_pylist()
    about_time = [reason for reason in reasons if reason.endswith("by time since the last order")]
    assert len(about_time) > 0.9 * len(reasons)
    riskiest = found.sort_by([("churn_probability", "descending")]).slice(0, 1).to_pylist()[0]
    assert riskiest["main_reason"] == "raised by time since the last order"
    assert riskiest["risk"] == "high"


def test_where_nothing_can_be_told_everyone_gets_the_average():
    methods = set()
    for seed in range(6):
        found = transform(customers(60, signal=0.0, seed=seed))
        (method,) = set(found["method"].to_pylist())
        methods.add(method)
        if method == "average of all customers":
            assert len(set(found["churn_probability"].to_pylist())) == 1
            assert found["brier_score"][0] == found["baseline_brier_score"][0]

    assert "average of all customers" in methods


def test_the_judged_day_was_not_learned_from():
    """Outcomes of the recent day turned round cannot go unnoticed."""
    rows = customers(1000)
    is_recent = pa.compute.equal(rows["sample"], "recent")
    turned = pa.compute.if_else(is_recent, pa.compute.invert(rows["is_lost"]), rows["is_lost"])

    (row,) = (
        transform(rows.set_column(rows.schema.get_field_index("is_lost"), "is_lost", turned)).slice(0, 1).to_pylist()
    )

    assert row["method"] == "average of all customers"


@pytest.mark.parametrize(
    "rows",
    [
        customers(MIN_CUSTOMERS - 1),
        customers(200, rate=20.0),  # Everyone is lost: there is nothing to tell apart.
        customers(100).slice(0, 0),
    ],
)
def test_too_little_to_learn_from_gives_no_rows(rows: pa.Table):
    found = transform(rows)

    assert found.num_rows == 0
    assert found.schema.names == [name for name, _ in churn_risk.OUTPUTS]


def test_tenants_do_not_touch_each_other():
    one, other = customers(300), customers(300, tenant_id=2, seed=2, signal=-2.0)

    together = transform(pa.concat_tables([other, one]))

    assert together.filter(pa.compute.equal(together["tenant_id"], 1)).equals(transform(one))


def test_a_customer_that_never_came_back_has_no_usual_time_between_orders():
    rows = customers(200)
    index = rows.schema.get_field_index("days_between_orders")
    some = [None if row % 3 else value for row, value in enumerate(rows["days_between_orders"].to_pylist())]

    found = transform(rows.set_column(index, "days_between_orders", pa.array(some, pa.float64())))

    assert found.num_rows == 200
    assert not np.isnan(found["churn_probability"].to_numpy()).any()


def test_calibration_error_of_a_model_that_is_always_right_is_zero():
    outcomes = np.array([0.0, 1.0] * 50)

    assert calibration_error(outcomes, outcomes) == 0
    assert calibration_error(1 - outcomes, outcomes) == pytest.approx(1, abs=0.25)
