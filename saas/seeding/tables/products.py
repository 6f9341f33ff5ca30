"""Products: a few sell a lot; most are older than the period, some are launched or repriced within it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import Company
from saas.seeding.period import Clock
from saas.seeding.pools import Grouped
from saas.seeding.shapes import Bools, Floats, Ints, chance, charm, part_of, zipf
from saas.seeding.stream import Stream

_ZIPF_EXPONENT = 0.8
_PRICE_SIGMA = 0.35
_LAUNCHED_SHARE, _LAUNCH_UNTIL = 0.25, 0.8
_REPRICED_SHARE = 0.3
_ACTIVE_SHARE = 0.94
_SOLD_OUT_SHARE = 0.05
_LOWEST_COST, _HIGHEST_COST = 3_500, 7_500
"""Basis points of the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """One tenant's products, in the order of their launch."""

    stream: Stream
    company: Company
    created_at: Ints
    updated_at: Ints
    popularity: Floats
    """Running sum of how well each one sells."""
    category: Ints
    noun: Ints
    adjective: Ints
    price: Ints
    earlier_price: Ints
    repriced_at: Ints
    cost: Ints
    stock: Ints
    is_active: Bools
    supplier: Ints
    weight_grams: Ints

    @classmethod
    def draw(cls, stream: Stream, company: Company, clock: Clock, opened_at: int) -> Products:
        """Fill the shelves of a shop that opened at the instant ``opened_at``."""
        rng, count, trade, home = stream.rng, stream.count, company.trade, company.home
        launched = chance(rng, count, _LAUNCHED_SHARE)
        launched[0] = False  # Something has to be there for the first order.
        created_at = np.where(
            launched,
            clock.start + rng.random(count) * _LAUNCH_UNTIL * (clock.end - clock.start),
            opened_at + rng.random(count) * (clock.start - opened_at),
        ).astype(np.int64)
        created_at.sort()
        category = rng.integers(0, len(trade.categories), count)
        median = np.array([each.median_cents for each in trade.categories])[category] * home.price_level
        endings = np.array(home.price_below)
        price = charm(
            median * rng.lognormal(0, _PRICE_SIGMA, count),
            step=home.price_step,
            below=endings[rng.integers(0, len(endings), count)],
        )
        repriced = chance(rng, count, _REPRICED_SHARE)
        changed_by = 1 + np.where(repriced, rng.uniform(-0.12, 0.08, count), 0)
        earlier = charm(price * changed_by, step=home.price_step, below=endings[rng.integers(0, len(endings), count)])
        first_chance = np.maximum(created_at, clock.start)
        repriced_at = np.where(
            repriced, first_chance + rng.random(count) * (clock.end - first_chance), created_at
        ).astype(np.int64)
        return cls(
            stream=stream,
            company=company,
            created_at=created_at,
            updated_at=repriced_at,
            popularity=np.cumsum(zipf(rng, count, _ZIPF_EXPONENT)),
            category=category,
            noun=_nouns(company).draw(rng, category),
            adjective=rng.integers(0, len(trade.adjectives), count),
            price=price,
            earlier_price=np.where(repriced, earlier, price),
            repriced_at=repriced_at,
            cost=part_of(price, rng.integers(_LOWEST_COST, _HIGHEST_COST, count), home.cent_step),
            stock=np.where(chance(rng, count, _SOLD_OUT_SHARE), 0, rng.integers(1, 600, count)),
            is_active=chance(rng, count, _ACTIVE_SHARE),
            supplier=rng.integers(0, len(words.SUPPLIERS), count),
            weight_grams=rng.integers(20, 9_000, count),
        )

    def eligible(self, instants: Ints) -> Ints:
        """Return how many products had been launched at each instant; always at least one."""
        return np.searchsorted(self.created_at, instants, side="right")

    def price_at(self, product: Ints, instants: Ints) -> Ints:
        """Return the price in cents that each product had at the instant beside it."""
        return np.where(instants < self.repriced_at[product], self.earlier_price[product], self.price[product])

    def skus(self, part: slice) -> columns.Column:
        """Return the article numbers of a slice."""
        codes = columns.words([each.code for each in self.company.trade.categories])
        number = np.arange(part.start + 1, part.stop + 1)
        return columns.join(columns.take(codes, self.category[part]), "-", columns.digits(number, 4))

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        trade, take, join = self.company.trade, columns.take, columns.join
        categories = columns.words([each.name for each in trade.categories])
        price = self.price[part]
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "sku": self.skus(part),
                "name": join(
                    take(columns.words(trade.adjectives), self.adjective[part]),
                    " ",
                    take(_nouns(self.company).texts, self.noun[part]),
                ),
                "category": take(categories, self.category[part]),
                "price": columns.money(price),
                "cost": columns.money(self.cost[part]),
                "stock_quantity": columns.whole(self.stock[part]),
                "is_active": columns.flags(self.is_active[part]),
                "metadata": join(
                    '{"supplier": {"name": ',
                    take(columns.documents(words.SUPPLIERS), self.supplier[part]),
                    ', "lead_days": ',
                    columns.digits(self.weight_grams[part] % 28 + 2),
                    '}, "weight_grams": ',
                    columns.digits(self.weight_grams[part]),
                    "}",
                ),
                "created_at": columns.instants(self.created_at[part]),
                "updated_at": columns.instants(self.updated_at[part]),
            }
        )


def _nouns(company: Company) -> Grouped:
    return Grouped.of([each.nouns for each in company.trade.categories])
