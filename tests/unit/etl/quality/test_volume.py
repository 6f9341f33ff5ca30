"""An unusual row count is told by its history, in numbers a person can follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.quality.checks import Volume
from etl.quality.volume import HISTORY_RUNS, judge

RULE = Volume(minimum_runs=3, tolerance=0.5)


@pytest.mark.parametrize(
    ("rows", "history", "unusual"),
    [
        (100, [100, 100, 100], False),
        (51, [100, 100, 100], False),
        (49, [100, 100, 100], True),
        (200, [100, 100, 100], False),
        (201, [100, 100, 100], True),
        (0, [100, 100, 100], True),
        (0, [0, 0, 0], False),
        (1, [0, 0, 0], True),
        # A spread of 20 around 100 tolerates 6 x 1.4826 x 20 = 178 rows to either side.
        (0, [80, 120, 80, 120, 100], False),
        (277, [80, 120, 80, 120, 100], False),
        (279, [80, 120, 80, 120, 100], True),
        # One run that lost everything does not teach that losing everything is usual.
        (0, [100, 101, 0, 102, 103], True),
    ],
)
def test_what_is_unusual(rows: int, history: list[int], unusual: bool) -> None:
    assert judge(rows, history, RULE).is_unusual is unusual


def test_too_little_history_judges_nothing_and_says_so() -> None:
    judged = judge(7, [100, 100], RULE)
    assert judged.is_unusual is None
    assert judged.explanation == "7 rows; 2 of the 3 earlier runs needed to judge are there."


def test_the_explanation_holds_every_number_of_the_judgement() -> None:
    assert judge(1_234, [5_000] * 4, RULE).explanation == (
        "1,234 rows; usual are 5,000 (median of 4 runs), tolerated 2,500 to 10,000."
    )


def test_only_the_newest_counts_are_looked_at() -> None:
    grown = [10] * 100 + [1_000] * HISTORY_RUNS
    assert judge(10, grown, RULE).is_unusual
    assert not judge(1_000, grown, RULE).is_unusual


@given(st.lists(st.integers(0, 10**12), min_size=3, max_size=40))
def test_the_usual_count_is_never_unusual(history: list[int]) -> None:
    usual = sorted(history[-HISTORY_RUNS:])[len(history[-HISTORY_RUNS:]) // 2]
    if len(history[-HISTORY_RUNS:]) % 2:
        assert not judge(usual, history, RULE).is_unusual
