"""What a daily series is likely to do next, with how wrong the method has been so far beside it.

The method is exponential smoothing with a damped trend and a week's season (ETS, additive;
`statsmodels`). It is tried on the past first: at several days in the last weeks it sees only
what was known then and predicts the days after. The same is asked of the simplest method there
is, "like the same weekday of the week before" (seasonal naive). Whichever erred less is used,
and both errors are part of every row: no forecast without them.

The intervals are not the model's own, which assume that the model is right. They are the errors
that were made in those trials (conformal prediction): a band of 80 % is as wide as would have
held 80 % of them. How much it would have held in trials that did not shape it is `coverage_80`.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

INPUTS = (
    ("tenant_id", "bigint"),
    ("series", "text"),
    ("day", "date"),
    ("value", "double"),
    ("last_day", "date"),
)
"""``last_day`` is the tenant's last complete day, the same in all its rows; days without a row count as 0."""

OUTPUTS = (
    ("tenant_id", "bigint"),
    ("series", "text"),
    ("day", "date"),
    ("forecast", "double"),
    ("lower_80", "double"),
    ("upper_80", "double"),
    ("lower_95", "double"),
    ("upper_95", "double"),
    ("method", "text"),
    ("error", "double"),
    ("baseline_error", "double"),
    ("coverage_80", "double"),
    ("trained_to", "date"),
    ("model_version", "text"),
)

VERSION = "ets-1"

HORIZON_DAYS = 28
SEASON_DAYS = 7
TRIALS = 8
"""How often the past is predicted, a week apart."""
MIN_DAYS = HORIZON_DAYS + 4 * SEASON_DAYS + (TRIALS - 1) * SEASON_DAYS
"""Shortest series: the earliest trial then has four weeks to learn from."""

_SMOOTHED, _NAIVE = "exponential smoothing", "same weekday of the week before"
_LEVELS = (0.80, 0.95)

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The days ahead of one series."""

    method: str
    values: Series
    """One a day, `HORIZON_DAYS` of them, never below 0."""
    bands: tuple[tuple[Series, Series], ...]
    """Lower and upper ends, for each of 80 % and 95 %."""
    error: float
    """Mean absolute error of the method used, over all days of all trials."""
    baseline_error: float
    """The same of the seasonal naive method."""
    coverage_80: float
    """Share of days within a band of 80 % that was made from the other trials."""


def transform(rows: pa.Table) -> pa.Table:
    """Forecast each tenant's series; one shorter than `MIN_DAYS` has no rows."""
    columns: dict[str, list[object]] = {name: [] for name, _ in OUTPUTS}
    for tenant_id, series, last_day, values in _series(rows):
        if len(values) < MIN_DAYS:
            continue
        found = forecast(values)
        (lower_80, upper_80), (lower_95, upper_95) = found.bands
        for ahead in range(HORIZON_DAYS):
            row = (
                tenant_id,
                series,
                last_day + dt.timedelta(days=ahead + 1),
                *(float(each[ahead]) for each in (found.values, lower_80, upper_80, lower_95, upper_95)),
                found.method,
                found.error,
                found.baseline_error,
                found.coverage_80,
                last_day,
                VERSION,
            )
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return pa.table(columns, schema=_SCHEMA)


def forecast(values: Series) -> Forecast:
    """Forecast one series of at least `MIN_DAYS` values, one a day, the latest last."""
    trials = {method: _errors(values, predict) for method, predict in _METHODS.items()}
    mean_errors = {method: float(np.abs(errors).mean()) for method, errors in trials.items()}
    method = min(_METHODS, key=mean_errors.__getitem__)
    ahead = np.maximum(_METHODS[method](values), 0.0)
    errors = np.abs(trials[method])
    half_widths = [_half_widths(errors, level) for level in _LEVELS]
    others = [np.delete(errors, trial, axis=0) for trial in range(TRIALS)]
    held = [errors[trial] <= _half_widths(rest, _LEVELS[0]) for trial, rest in enumerate(others)]
    return Forecast(
        method=method,
        values=ahead,
        bands=tuple((np.maximum(ahead - half, 0.0), ahead + half) for half in half_widths),
        error=mean_errors[method],
        baseline_error=mean_errors[_NAIVE],
        coverage_80=float(np.mean(held)),
    )


def _smoothed(values: Series) -> Series:
    """Return the next `HORIZON_DAYS` values by exponential smoothing."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415 - half a second, for those who fit

    model = ETSModel(
        values,
        error="add",
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=SEASON_DAYS,
        initialization_method="heuristic",
    )
    with warnings.catch_warnings():
        # An optimum that is not sharp is still a forecast; the trials say what it is worth.
        warnings.simplefilter("ignore")
        fitted = model.fit(disp=False)
    return np.asarray(fitted.forecast(HORIZON_DAYS), dtype=np.float64)


def _naive(values: Series) -> Series:
    """Return the last week, again and again."""
    return np.resize(values[-SEASON_DAYS:], HORIZON_DAYS)


_METHODS: dict[str, Callable[[Series], Series]] = {_SMOOTHED: _smoothed, _NAIVE: _naive}


def _errors(values: Series, predict: Callable[[Series], Series]) -> Series:
    """Return predicted minus true, one row a trial and one column a day ahead."""
    errors = np.empty((TRIALS, HORIZON_DAYS))
    for trial in range(TRIALS):
        known = len(values) - HORIZON_DAYS - trial * SEASON_DAYS
        errors[trial] = np.maximum(predict(values[:known]), 0.0) - values[known : known + HORIZON_DAYS]
    return errors


def _half_widths(errors: Series, level: float) -> Series:
    """Return, for each day ahead, the error that a share ``level`` of the trials' errors did not exceed.

    Days of one week ahead are taken together, for there are few trials; a band never narrows with distance.
    """
    weeks = errors.reshape(len(errors), -1, SEASON_DAYS)
    count = weeks.shape[0] * SEASON_DAYS
    # The conformal quantile: a little above the plain one, because the trials are finite.
    quantile = min(np.ceil((count + 1) * level) / count, 1.0)
    by_week = np.quantile(weeks.transpose(1, 0, 2).reshape(weeks.shape[1], -1), quantile, axis=1)
    return np.repeat(np.maximum.accumulate(by_week), SEASON_DAYS)


def _series(rows: pa.Table) -> Iterator[tuple[int, str, dt.date, Series]]:
    """Yield each tenant's series as one value a day, from its first day to the last complete one."""
    rows = rows.filter(pc.less_equal(rows["day"], rows["last_day"])).sort_by(
        [("tenant_id", "ascending"), ("series", "ascending"), ("day", "ascending")]
    )
    groups = rows.group_by(["tenant_id", "series"], use_threads=False).aggregate(
        [("day", "list"), ("value", "list"), ("last_day", "max")]
    )
    for group in groups.to_pylist():
        first, last = group["day_list"][0], group["last_day_max"]
        values = np.zeros((last - first).days + 1)
        for day, value in zip(group["day_list"], group["value_list"], strict=True):
            values[(day - first).days] = value
        yield group["tenant_id"], group["series"], last, values


_ARROW = {"bigint": pa.int64(), "text": pa.string(), "date": pa.date32(), "double": pa.float64()}
_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in OUTPUTS])
