"""Distributions and exact arithmetic that several tables share.

Money is whole cents in int64 from here to the text of COPY; no amount passes through a float
after it has been rounded once.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

BASIS_POINTS = 10_000


def chance(rng: np.random.Generator, count: int, probability: float | Floats) -> Bools:
    """Return ``count`` independent yes or no answers."""
    return rng.random(count) < probability


def choose(rng: np.random.Generator, count: int, weights: npt.ArrayLike) -> Ints:
    """Return ``count`` positions in ``weights``, each as likely as its weight."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    return pick(rng, cumulative, np.full(count, len(cumulative)))


def pick(rng: np.random.Generator, cumulative: Floats, eligible: Ints) -> Ints:
    """Return for each entry a position among the first ``eligible``, as likely as its weight.

    Args:
        rng: The table's random stream.
        cumulative: Running sum of positive weights.
        eligible: How many leading positions may be chosen, at least 1 each.
    """
    drawn = rng.random(len(eligible)) * cumulative[eligible - 1]
    return np.minimum(np.searchsorted(cumulative, drawn, side="right"), eligible - 1)


def zipf(rng: np.random.Generator, count: int, exponent: float) -> Floats:
    """Return shuffled weights in which a few are big: the r-th biggest is r to the minus ``exponent``."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return rng.permutation(weights)


def apportion(total: int, weights: Floats) -> Ints:
    """Split ``total`` into whole parts in proportion to ``weights``, by largest remainder, each at least 1.

    Args:
        total: What to split, at least as many as there are parts.
        weights: Positive, one per part.
    """
    exact = (total - len(weights)) * weights / weights.sum()
    parts: Ints = np.floor(exact).astype(np.int64) + 1
    missing = total - int(parts.sum())
    largest = np.argsort(-(exact - np.floor(exact)), kind="stable")[:missing]
    parts[largest] += 1
    return parts


def half_up(numerator: Ints, denominator: int) -> Ints:
    """Divide non-negative whole numbers, rounding halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def part_of(cents: Ints, basis_points: Ints | int, step: int) -> Ints:
    """Return a part of an amount, rounded half up to a multiple of ``step`` cents."""
    return half_up(cents * basis_points, BASIS_POINTS * step) * step


def charm(cents: Floats, *, step: int, below: Ints) -> Ints:
    """Round a price as shops do: to a whole ``step`` of cents, then a little below it.

    Args:
        cents: The price that the distribution gave.
        step: Cents; the result is at least twice this before ``below`` is taken off.
        below: Cents taken off, less than one step.
    """
    steps = np.maximum(np.floor(cents / step + 0.5).astype(np.int64), 2)
    return steps * step - below
