"""Is a table's row count an unusual one? Judged by the counts of earlier runs, in words a person can follow.

The usual count is the median of the history, its spread the median absolute deviation
(MAD): a single odd run moves neither. A count may lie `_DEVIATIONS` spreads away from the
median, and always as far as the check's ``tolerance``, so that a table that never changed
does not alarm at its first new row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from etl.quality.checks import Volume

HISTORY_RUNS = 30
"""Counts that are looked at, the newest ones: a table may grow, and last year's size says little."""

_NORMAL = 1.4826
"""Makes the MAD of a normal distribution equal its standard deviation."""
_DEVIATIONS = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the history says about a count."""

    is_unusual: bool | None
    """None where there is too little history to judge by."""
    explanation: str
    """One sentence with the numbers behind it."""


def judge(rows: int, history: Sequence[int], rule: Volume) -> Judgement:
    """Compare a row count with earlier ones.

    Args:
        rows: The count now.
        history: Counts of earlier published runs, oldest first.
        rule: How much history it takes, and what is always tolerated.
    """
    known = history[-HISTORY_RUNS:]
    if len(known) < rule.minimum_runs:
        explanation = f"{rows:,} rows; {len(known)} of the {rule.minimum_runs} earlier runs needed to judge are there."
        return Judgement(is_unusual=None, explanation=explanation)
    usual = median(known)
    spread = _DEVIATIONS * _NORMAL * median(abs(count - usual) for count in known)
    low = min(usual * (1 - rule.tolerance), usual - spread)
    high = max(usual / (1 - rule.tolerance), usual + spread)
    explanation = (
        f"{rows:,} rows; usual are {usual:,.0f} (median of {len(known)} runs),"
        f" tolerated {max(low, 0):,.0f} to {high:,.0f}."
    )
    return Judgement(is_unusual=not low <= rows <= high, explanation=explanation)
