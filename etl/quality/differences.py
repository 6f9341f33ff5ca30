"""Which keys differ between two layers, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class DifferenceKind(StrEnum):
    """How a key differs."""

    MISSING = "missing"
    """In the layer before, not in this one."""
    EXTRA = "extra"
    """In this layer, not in the one before."""
    CHANGED = "changed"
    """On both sides, with other values or another number of times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One key whose rows differ."""

    key: str
    """The key's fields joined by ``|``; a text field is preceded by its length."""
    kind: DifferenceKind


def different_keys(*, before: Sequence[tuple[object, ...]], here: Sequence[tuple[object, ...]]) -> list[Difference]:
    """Compare (key, hash) rows of two layers as multisets; return the keys that differ, sorted."""
    rows_before, rows_here = Counter(before), Counter(here)
    keys_before = {str(key) for key, _ in rows_before}
    keys_here = {str(key) for key, _ in rows_here}
    different = {str(key) for key, _ in (rows_before - rows_here) + (rows_here - rows_before)}
    return [Difference(key=key, kind=_kind(key, keys_before, keys_here)) for key in sorted(different)]


def _kind(key: str, keys_before: set[str], keys_here: set[str]) -> DifferenceKind:
    if key not in keys_here:
        return DifferenceKind.MISSING
    return DifferenceKind.CHANGED if key in keys_before else DifferenceKind.EXTRA
