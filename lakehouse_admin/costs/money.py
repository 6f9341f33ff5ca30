"""Amounts of money that are far below a cent, and how one is split without losing any of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

KeyT = TypeVar("KeyT")

PLACES = 9
QUANTUM = Decimal(1).scaleb(-PLACES)
"""A nano-unit of the currency: one S3 request costs 400 of them."""


def rounded(amount: Decimal) -> Decimal:
    """Return the amount in whole quanta."""
    return amount.quantize(QUANTUM, ROUND_HALF_UP)


def split(amount: Decimal, weights: Mapping[KeyT, int]) -> dict[KeyT, Decimal]:
    """Split an amount in proportion to weights, in whole quanta that sum to it exactly.

    What rounding down leaves over goes, a quantum each, to those that it took most from; of
    equal ones to the earlier. Without any weight above zero the parts are equal.

    Args:
        amount: What is split, zero or more.
        weights: By whom; at least one, none below zero.
    """
    quanta = int(rounded(amount) / QUANTUM)
    whole = sum(weights.values())
    fair = dict(weights) if whole else dict.fromkeys(weights, 1)
    whole = whole or len(fair)
    parts = {key: quanta * weight // whole for key, weight in fair.items()}
    left = quanta - sum(parts.values())
    by_loss = sorted(fair, key=lambda key: -(quanta * fair[key] % whole))
    for key in by_loss[:left]:
        parts[key] += 1
    return {key: part * QUANTUM for key, part in parts.items()}


def shown(amount: Decimal) -> str:
    """Print an amount for a person: in cents from one up, else with two digits that tell something."""
    if amount == 0 or amount >= Decimal("0.01"):
        return f"{amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    digits = min(PLACES, 1 - amount.adjusted())
    return f"{amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"
