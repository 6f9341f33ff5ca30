"""Which customers are unlikely to buy again soon, why, and how often such a statement was right.

A customer counts as lost if none of the next `WINDOW_DAYS` days has a completed order. The
model's SELECT describes every active customer of a tenant at three days: now, and one and two
windows ago, when by now the outcome is known. A logistic regression (`scikit-learn`) learns from
the oldest day, is judged on the middle one, which it has not seen, and is then fitted to both.

It is judged by the Brier score, the mean squared distance between probability and outcome, beside
that of giving everyone the same probability. Where it is not better than that, everyone gets the
same probability, and the rows say so. Every tenant has a model of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

WINDOW_DAYS = 60
"""Agrees with the model's SELECT; a test compares."""

FEATURES = {
    "days_since_last_order": "time since the last order",
    "days_as_customer": "time since the first order",
    "orders_90d": "orders in the last 90 days",
    "revenue_90d": "revenue in the last 90 days",
    "lost_orders_90d": "orders refunded or cancelled in the last 90 days",
    "days_between_orders": "usual time between orders",
    "visits_30d": "visits in the last 30 days",
    "active_subscriptions": "active subscriptions",
}
"""What the regression sees, and how a reader is told."""

INPUTS = (
    ("tenant_id", "bigint"),
    ("customer_id", "bigint"),
    ("sample", "text"),
    *((name, "double") for name in FEATURES),
    ("is_lost", "boolean"),
)
"""``sample`` is ``now``, ``recent`` (one window ago) or ``earlier`` (two); ``is_lost`` is NULL for ``now``."""

OUTPUTS = (
    ("tenant_id", "bigint"),
    ("customer_id", "bigint"),
    ("churn_probability", "double"),
    ("risk", "text"),
    ("main_reason", "text"),
    ("method", "text"),
    ("brier_score", "double"),
    ("baseline_brier_score", "double"),
    ("calibration_error", "double"),
    ("customers_judged", "bigint"),
    ("model_version", "text"),
)

VERSION = "logistic-1"

MIN_CUSTOMERS = 50
"""Fewest customers, and a fifth of it the fewest of either outcome, to learn from at each of the two past days."""

_REGRESSION, _AVERAGE = "logistic regression", "average of all customers"
_HIGH, _MEDIUM = 2 / 3, 1 / 3
_BINS = 5

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A tenant's active customers at one day."""

    customer_ids: NDArray[np.int64]
    features: Matrix
    """A row a customer, a column a feature."""
    is_lost: Matrix
    """1 or 0; NaN where it is not known yet."""

    @property
    def is_enough(self) -> bool:
        """Whether something can be learned from it."""
        lost = int(self.is_lost.sum()) if len(self.is_lost) else 0
        return min(lost, len(self.is_lost) - lost) >= MIN_CUSTOMERS / 5 and len(self.is_lost) >= MIN_CUSTOMERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What became of one tenant's customers."""

    probabilities: Matrix
    reasons: list[str]
    method: str
    brier_score: float
    baseline_brier_score: float
    calibration_error: float


def transform(rows: pa.Table) -> pa.Table:
    """Judge each tenant's customers; a tenant with too few of them in the past has no rows."""
    columns: dict[str, list[object]] = {name: [] for name, _ in OUTPUTS}
    for tenant_id, samples in _tenants(rows):
        earlier, recent, now = (samples[name] for name in ("earlier", "recent", "now"))
        if not (earlier.is_enough and recent.is_enough):
            continue
        found = judge(earlier, recent, now)
        for index, customer_id in enumerate(now.customer_ids):
            probability = float(found.probabilities[index])
            row = (
                tenant_id,
                int(customer_id),
                probability,
                "high" if probability >= _HIGH else "medium" if probability >= _MEDIUM else "low",
                found.reasons[index],
                found.method,
                found.brier_score,
                found.baseline_brier_score,
                found.calibration_error,
                len(recent.is_lost),
                VERSION,
            )
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return pa.table(columns, schema=_SCHEMA)


def judge(earlier: Sample, recent: Sample, now: Sample) -> Risk:
    """Learn from the past, say how well that went, and judge the present."""
    tried = _fit(earlier)
    predicted = tried.predict_proba(recent.features)[:, 1]
    average = float(earlier.is_lost.mean())
    brier = float(np.mean((predicted - recent.is_lost) ** 2))
    baseline_brier = float(np.mean((average - recent.is_lost) ** 2))
    if brier >= baseline_brier:
        everyone = float(np.concatenate([earlier.is_lost, recent.is_lost]).mean())
        return Risk(
            probabilities=np.full(len(now.customer_ids), everyone),
            reasons=["no feature tells more than the average"] * len(now.customer_ids),
            method=_AVERAGE,
            brier_score=baseline_brier,
            baseline_brier_score=baseline_brier,
            calibration_error=abs(average - float(recent.is_lost.mean())),
        )
    both = Sample(
        customer_ids=np.concatenate([earlier.customer_ids, recent.customer_ids]),
        features=np.vstack([earlier.features, recent.features]),
        is_lost=np.concatenate([earlier.is_lost, recent.is_lost]),
    )
    final = _fit(both)
    return Risk(
        probabilities=final.predict_proba(now.features)[:, 1] if len(now.features) else np.empty(0),
        reasons=_reasons(final, now.features),
        method=_REGRESSION,
        brier_score=brier,
        baseline_brier_score=baseline_brier,
        calibration_error=calibration_error(predicted, recent.is_lost),
    )


def calibration_error(probabilities: Matrix, outcomes: Matrix) -> float:
    """Return how far probabilities are from shares: the mean gap over groups of customers alike in probability.

    The groups have equal sizes, so each gap weighs the same.
    """
    order = np.argsort(probabilities, kind="stable")
    groups = np.array_split(order, _BINS)
    return float(np.mean([abs(probabilities[group].mean() - outcomes[group].mean()) for group in groups]))


def _fit(sample: Sample) -> Pipeline:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second, for those who fit
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(sample.features, sample.is_lost)


def _reasons(model: Pipeline, features: Matrix) -> list[str]:
    """Name, for each customer, the feature that moves the probability furthest from a typical customer's."""
    if not len(features):
        return []
    scaler, regression = model[0], model[1]
    effects = scaler.transform(features) * regression.coef_[0]
    names = list(FEATURES.values())
    furthest = np.abs(effects).argmax(axis=1)
    return [
        f"{'raised' if effects[row, index] > 0 else 'lowered'} by {names[index]}" for row, index in enumerate(furthest)
    ]


def _tenants(rows: pa.Table) -> Iterator[tuple[int, dict[str, Sample]]]:
    """Yield each tenant's three samples."""
    rows = rows.sort_by([("tenant_id", "ascending"), ("customer_id", "ascending")])
    for tenant_id in sorted(pc.unique(rows["tenant_id"]).to_pylist()):
        own = rows.filter(pc.equal(rows["tenant_id"], tenant_id))
        yield (
            tenant_id,
            {name: _sample(own.filter(pc.equal(own["sample"], name))) for name in ("earlier", "recent", "now")},
        )


def _sample(rows: pa.Table) -> Sample:
    features = [pc.fill_null(rows[name], 0.0).to_numpy() for name in FEATURES]
    return Sample(
        customer_ids=rows["customer_id"].to_numpy(),
        features=np.column_stack(features),
        is_lost=pc.cast(rows["is_lost"], pa.float64()).to_numpy(),
    )


_ARROW = {"bigint": pa.int64(), "text": pa.string(), "double": pa.float64()}
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in OUTPUTS])
