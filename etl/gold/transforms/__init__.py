"""Steps that SQL cannot take: a model's SELECT gathers what one needs, and its result becomes the model's rows.

A model names its transform in its front matter. Each is a module of this package: pure,
deterministic, from one Arrow table to another, tenant by tenant.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Protocol, cast

import pyarrow as pa


class Transform(Protocol):
    """What each module of this package offers."""

    INPUTS: Sequence[tuple[str, str]]
    """Name and logical type of each column that the model's SELECT has to give, in order."""
    OUTPUTS: Sequence[tuple[str, str]]
    """Name and logical type of each column that comes out, in order: those the model describes."""
    VERSION: str
    """Changes whenever equal rows may give another result; part of the table's rows and of its fingerprint."""

    def transform(self, rows: pa.Table) -> pa.Table:
        """Return the model's rows. A tenant with too little to learn from has none."""


def names() -> list[str]:
    """Return the names a model may use, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> Transform:
    """Import one; only here, because their libraries take long to load.

    Raises:
        ModuleNotFoundError: There is none of that name.
    """
    return cast("Transform", importlib.import_module(f"{__name__}.{name}"))
