"""Exact arithmetic, and draws that keep to their bounds."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.seeding.shapes import apportion, chance, charm, choose, half_up, part_of, pick, zipf

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)


@given(WEIGHTS, st.integers(0, 10_000))
def test_apportioned_parts_add_up(weights: list[float], more: int):
    total = len(weights) + more
    parts = apportion(total, np.array(weights))
    assert parts.sum() == total
    assert parts.min() >= 1


def test_parts_follow_the_weights():
    assert apportion(103, np.array([1.0, 3.0, 6.0])).tolist() == [11, 31, 61]


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_halves_are_rounded_up(numerator: int, denominator: int):
    expected = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    assert half_up(np.array([numerator]), denominator)[0] == expected


@pytest.mark.parametrize(
    ("cents", "basis_points", "step", "part"),
    [
        (1_000, 1_000, 1, 100),
        (1_005, 1_000, 1, 101),
        (1_004, 1_000, 1, 100),
        (333, 825, 1, 27),
        (19_800, 1_000, 100, 2_000),
        (10_400, 1_000, 100, 1_000),
        (0, 2_500, 1, 0),
    ],
)
def test_a_part_of_an_amount(cents: int, basis_points: int, step: int, part: int):
    assert part_of(np.array([cents]), basis_points, step).tolist() == [part]


@pytest.mark.parametrize(
    ("cents", "step", "below", "price"), [(1_234.0, 100, 1, 1_199), (1_250.0, 100, 0, 1_300), (3.0, 100, 50, 150)]
)
def test_prices_end_as_in_shops(cents: float, step: int, below: int, price: int):
    assert charm(np.array([cents]), step=step, below=np.array([below])).tolist() == [price]


@given(st.integers(0, 2**32), st.integers(1, 50))
def test_only_the_eligible_are_picked(seed: int, known: int):
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(zipf(rng, known, 1.1))
    eligible = rng.integers(1, known + 1, 200)
    picked = pick(rng, cumulative, eligible)
    assert (picked >= 0).all()
    assert (picked < eligible).all()


def test_picks_follow_the_weights():
    rng = np.random.default_rng(1)
    counts = np.bincount(choose(rng, 100_000, [1, 2, 7]), minlength=3)
    assert counts == pytest.approx([10_000, 20_000, 70_000], rel=0.05)


def test_a_few_are_big():
    weights = np.sort(zipf(np.random.default_rng(1), 1_000, 0.8))[::-1]
    assert weights[:10].sum() > 0.2 * weights.sum()


def test_chances():
    assert chance(np.random.default_rng(1), 10_000, 0.3).mean() == pytest.approx(0.3, abs=0.02)
