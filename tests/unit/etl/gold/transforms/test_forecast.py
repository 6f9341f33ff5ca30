from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from etl.gold.transforms import forecast as forecasting
from etl.gold.transforms.forecast import HORIZON_DAYS, MIN_DAYS, forecast, transform

LAST_DAY = dt.date(2026, 6, 30)


def weekly(days: int, *, noise: float, seed: int = 1, trend: float = 0.3) -> np.ndarray:
    """A series with a trend, a week's season and noise: what shops look like."""
    day = np.arange(days)
    return 100 + trend * day + 20 * np.sin(2 * np.pi * day / 7) + np.random.default_rng(seed).normal(0, noise, days)


def table(values: np.ndarray, *, tenant_id: int = 1, series: str = "revenue") -> pa.Table:
    days = [LAST_DAY - dt.timedelta(days=len(values) - 1 - index) for index in range(len(values))]
    return pa.table(
        {
            "tenant_id": [tenant_id] * len(values),
            "series": [series] * len(values),
            "day": pa.array(days, pa.date32()),
            "value": values,
            "last_day": pa.array([LAST_DAY] * len(values), pa.date32()),
        }
    )


def test_a_season_without_noise_is_continued():
    values = weekly(180 + HORIZON_DAYS, noise=0, trend=0)

    found = forecast(values[:180])

    assert np.abs(found.values - values[180:]).max() < 1
    assert found.error < 1


def test_smoothing_beats_the_baseline_where_there_is_noise():
    found = forecast(weekly(180, noise=15))

    assert found.method == "exponential smoothing"
    assert found.error < found.baseline_error


def test_the_baseline_is_used_where_it_erred_less(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(forecasting._METHODS, "exponential smoothing", lambda _values: np.full(HORIZON_DAYS, 1e6))

    found = forecast(weekly(180, noise=15))

    assert found.method == "same weekday of the week before"
    assert found.error == found.baseline_error


def test_bands_hold_about_what_they_promise():
    """Over many series, the share of later days within a band is near the band's level."""
    held = {0.80: [], 0.95: []}
    promised = []
    for seed in range(25):
        values = weekly(180 + HORIZON_DAYS, noise=15, seed=seed)
        found = forecast(values[:180])
        later = values[180:]
        promised.append(found.coverage_80)
        for level, (lower, upper) in zip(held, found.bands, strict=True):
            held[level].append(((later >= lower) & (later <= upper)).mean())

    assert np.mean(held[0.80]) == pytest.approx(0.80, abs=0.08)
    assert np.mean(held[0.95]) == pytest.approx(0.95, abs=0.05)
    assert np.mean(promised) == pytest.approx(0.80, abs=0.08)


def test_bands_contain_each_other_and_never_narrow():
    found = forecast(weekly(180, noise=15))

    (lower_80, upper_80), (lower_95, upper_95) = found.bands
    assert (lower_95 <= lower_80).all()
    assert (upper_80 <= upper_95).all()
    assert (np.diff(upper_80 - found.values) >= -1e-9).all()


def test_a_forecast_knows_nothing_of_the_days_it_is_tried_on():
    """A shock in the last days worsens the trials' errors; it cannot have been foreseen."""
    calm = weekly(180, noise=5)
    shocked = calm.copy()
    shocked[-10:] += 500

    assert forecast(shocked).error > 5 * forecast(calm).error


def test_nothing_is_forecast_below_zero():
    falling = np.maximum(100 - np.arange(150.0), 0)

    found = forecast(falling)

    assert (found.values >= 0).all()
    assert all((lower >= 0).all() for lower, _ in found.bands)


class TestTransform:
    def test_days_ahead_follow_the_last_complete_day(self):
        rows = transform(table(weekly(180, noise=15))).to_pylist()

        assert [row["day"] for row in rows] == [LAST_DAY + dt.timedelta(days=n + 1) for n in range(HORIZON_DAYS)]
        assert {row["trained_to"] for row in rows} == {LAST_DAY}
        assert {row["model_version"] for row in rows} == {"ets-1"}

    def test_a_short_series_has_no_forecast(self):
        assert transform(table(weekly(MIN_DAYS - 1, noise=1))).num_rows == 0
        assert transform(table(weekly(MIN_DAYS, noise=1))).num_rows == HORIZON_DAYS

    def test_days_without_a_row_count_as_zero(self):
        values = weekly(180, noise=15)
        values[50:60] = 0
        whole = table(values)
        sparse = whole.take([index for index in range(180) if not 50 <= index < 60])

        assert transform(sparse).equals(transform(whole))

    def test_an_unfinished_day_is_not_learned_from(self):
        rows = table(weekly(180, noise=15))
        today = pa.table(
            {
                "tenant_id": [1],
                "series": ["revenue"],
                "day": pa.array([LAST_DAY + dt.timedelta(days=1)], pa.date32()),
                "value": [3.0],
                "last_day": pa.array([LAST_DAY], pa.date32()),
            }
        )

        assert transform(pa.concat_tables([rows, today])).equals(transform(rows))

    def test_tenants_do_not_touch_each_other(self):
        one, other = table(weekly(180, noise=15)), table(weekly(180, noise=40, seed=2), tenant_id=2)

        together = transform(pa.concat_tables([other, one]))

        assert together.filter(pa.compute.equal(together["tenant_id"], 1)).equals(transform(one))

    def test_no_rows_give_no_rows(self):
        nothing = transform(table(np.array([])))

        assert nothing.num_rows == 0
        assert nothing.schema.names == [name for name, _ in forecasting.OUTPUTS]
