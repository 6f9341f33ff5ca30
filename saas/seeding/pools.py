"""Pools of texts that belong to groups: a language's names, a home's cities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saas.seeding import columns
from saas.seeding.shapes import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Texts of several groups, one after the other."""

    texts: columns.Column
    starts: Ints
    sizes: Ints

    @classmethod
    def of(cls, groups: Sequence[Sequence[str]]) -> Grouped:
        """Lay the groups out."""
        sizes = np.array([len(group) for group in groups], dtype=np.int64)
        return cls(
            texts=columns.words([text for group in groups for text in group]),
            starts=np.cumsum(sizes) - sizes,
            sizes=sizes,
        )

    def draw(self, rng: np.random.Generator, group: Ints) -> Ints:
        """Return for each entry a position of one of its group's texts."""
        return self.starts[group] + (rng.random(len(group)) * self.sizes[group]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.texts)
