"""Money is split without losing any of it."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_admin.costs.money import QUANTUM, rounded, shown, split

AMOUNTS = st.integers(min_value=0, max_value=10**16).map(lambda quanta: quanta * QUANTUM)
WEIGHTS = st.dictionaries(st.text(max_size=3), st.integers(min_value=0, max_value=2**63), min_size=1, max_size=40)


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_parts_sum_to_the_whole_exactly_and_are_fair_to_a_quantum(amount: Decimal, weights: dict[str, int]):
    parts = split(amount, weights)

    assert parts.keys() == weights.keys()
    assert sum(parts.values()) == amount
    whole = sum(weights.values())
    for key, part in parts.items():
        assert part == rounded(part)
        quanta = int(amount / QUANTUM)
        exact_times_whole = quanta * (weights[key] if whole else 1)
        assert abs(int(part / QUANTUM) * (whole or len(weights)) - exact_times_whole) < (whole or len(weights))


@given(amount=AMOUNTS, weights=WEIGHTS)
def test_who_weighs_nothing_pays_nothing_and_who_weighs_more_no_less(amount: Decimal, weights: dict[str, int]):
    parts = split(amount, weights)

    if sum(weights.values()):
        assert all(parts[key] <= QUANTUM for key, weight in weights.items() if weight == 0)
    by_weight = sorted(parts, key=lambda key: weights[key])
    assert all(
        parts[less] <= parts[more] + (QUANTUM if weights[less] == weights[more] else 0)
        for less, more in pairwise(by_weight)
    )


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("1234.565", "1,234.57"),
        ("0.01", "0.01"),
        ("0.0099", "0.0099"),
        ("0.00012345", "0.00012"),
        ("0.0000004", "0.00000040"),
        ("0.000000001", "0.000000001"),
    ],
)
def test_small_amounts_are_not_shown_as_nothing(amount: str, text: str):
    assert shown(Decimal(amount)) == text
