"""Tenants: the shops themselves, opened before the period begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saas.seeding import columns
from saas.seeding.companies import Company
from saas.seeding.period import DAY, Period
from saas.seeding.shapes import Ints
from saas.seeding.stream import Stream

_OLDEST_DAYS, _YOUNGEST_DAYS = 700, 20
_FIRST_FOUNDED, _LAST_FOUNDED = 1911, 1979


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """One tenant's single row."""

    stream: Stream
    company: Company
    created_at: Ints
    updated_at: Ints
    founded_year: int

    @classmethod
    def draw(cls, stream: Stream, company: Company, period: Period) -> Tenants:
        """Choose when the shop opened."""
        age = stream.rng.integers(_YOUNGEST_DAYS * DAY, _OLDEST_DAYS * DAY, 1)
        created_at = period.start - age
        return cls(
            stream=stream,
            company=company,
            created_at=created_at,
            updated_at=created_at + stream.rng.integers(0, age),
            founded_year=int(stream.rng.integers(_FIRST_FOUNDED, _LAST_FOUNDED)),
        )

    def rows(self, part: slice) -> columns.Column:
        """Return the row as columns."""
        company = self.company
        metadata = {
            "industry": company.trade.industry,
            "founded": self.founded_year,
            "support": {"email": f"hello@{company.slug}.example", "languages": [company.home.language, "en"]},
            "motto": f'"{company.name}", since {self.founded_year}',
        }
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "slug": columns.words([company.slug]),
                "name": columns.words([company.name]),
                "plan": columns.words([company.plan]),
                "currency": columns.words([company.home.currency]),
                "timezone": columns.words([company.home.timezone]),
                "metadata": columns.documents([metadata]),
                "created_at": columns.instants(self.created_at),
                "updated_at": columns.instants(np.asarray(self.updated_at)),
            }
        )
