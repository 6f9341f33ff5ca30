"""What the numbers mean, in the words of the model files that compute them."""

from __future__ import annotations

from functools import cache

from etl.gold.compile import load_models
from etl.gold.model import GoldModel


@cache
def models() -> tuple[GoldModel, ...]:
    """Return every gold model, by name."""
    return load_models()


def freshness_promise_hours() -> int:
    """Return how old the data may be at most: the strictest promise of any model."""
    return min(model.freshness_hours for model in models())
