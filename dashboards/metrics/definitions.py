"""What the numbers mean, in the words of the model files that compute them."""

from __future__ import annotations

from functools import cache

from etl.gold.compile import load_models
from etl.gold.model import Audience, GoldModel


@cache
def models() -> tuple[GoldModel, ...]:
    """Return every gold model, by name."""
    return load_models()


def tenant_models() -> tuple[GoldModel, ...]:
    """Return the models that a tenant may read, by name."""
    return tuple(model for model in models() if model.audience is Audience.TENANT)


def freshness_promise_seconds() -> int:
    """Return how old a page's data may be: once this has passed, no number computed from the tenant's rows is fresh.

    What a transform learned from months of rows is no measure of that.
    """
    return max(model.freshness_seconds for model in tenant_models() if model.transform is None)
