"""What every table starts from: its own random stream, its row count and its ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from saas.seeding.columns import NONE
from saas.seeding.scale import Table
from saas.seeding.shapes import Ints


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One tenant's share of one table.

    The generator depends on the seed, the table and the tenant alone, so a new table or
    tenant moves no other, and neither the order of tables nor the size of chunks matters.
    """

    seed: int
    table: Table
    tenant_id: int
    count: int
    first_id: int

    @cached_property
    def rng(self) -> np.random.Generator:
        """The generator; one table's drawing consumes it in one fixed order."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, self.table.number, self.tenant_id]))

    def ids(self, part: slice) -> Ints:
        """Return the ids of a slice of the rows."""
        return np.arange(self.first_id + part.start, self.first_id + part.stop, dtype=np.int64)

    def tenant_ids(self, part: slice) -> Ints:
        """Return the tenant of a slice of the rows."""
        return np.full(part.stop - part.start, self.tenant_id)

    def ids_at(self, positions: Ints) -> Ints:
        """Return the ids of the rows at ``positions``; `NONE` stays."""
        return np.where(positions == NONE, NONE, self.first_id + positions)


class TableRows(Protocol):
    """A table's rows for one tenant: compact numbers, drawn; text only for the slice asked for."""

    @property
    def stream(self) -> Stream:
        """Where the rows come from."""

    def rows(self, part: slice) -> Any:
        """Return the rows of a slice as a record batch, columns named as in the database."""
