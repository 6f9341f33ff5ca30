"""How many rows: the exact counts of a scale and how they are shared among tenants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from enum import StrEnum

import numpy as np

from saas.seeding.companies import Company, company
from saas.seeding.errors import SeedError
from saas.seeding.shapes import Floats, apportion


class Table(StrEnum):
    """The source tables, parents before children.

    A table's position is part of its random stream: append new tables, never reorder them.
    """

    TENANTS = "tenants"
    CUSTOMERS = "customers"
    PRODUCTS = "products"
    ORDERS = "orders"
    ORDER_ITEMS = "order_items"
    EVENTS = "events"
    SUBSCRIPTIONS = "subscriptions"
    INVOICES = "invoices"

    @property
    def number(self) -> int:
        """The table's place in the list, from 1."""
        return list(Table).index(self) + 1


MEDIUM_ROWS: Mapping[Table, int] = {
    Table.CUSTOMERS: 6_400,
    Table.PRODUCTS: 800,
    Table.ORDERS: 51_200,
    Table.ORDER_ITEMS: 153_600,
    Table.EVENTS: 320_000,
    Table.SUBSCRIPTIONS: 1_920,
    Table.INVOICES: 10_000,
}

NAMED_FACTORS: Mapping[str, Decimal] = {
    "small": Decimal("0.05"),
    "medium": Decimal(1),
    "large": Decimal(10),
}

SMALLEST_FACTOR = Decimal("0.01")
LARGEST_FACTOR = Decimal(100)

_MEDIUM_TENANTS = 8
_FEW_TENANTS = 4
_FEW_TENANTS_BELOW = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A multiple of medium. Rows grow with it; tenants by its square root, so that they grow as well."""

    name: str
    factor: Decimal

    @property
    def tenants(self) -> int:
        """How many tenants: 4 below a factor of 0.1, 8 up to 1, then 8 times the square root."""
        if self.factor < _FEW_TENANTS_BELOW:
            return _FEW_TENANTS
        if self.factor <= 1:
            return _MEDIUM_TENANTS
        return int((_MEDIUM_TENANTS * self.factor.sqrt()).to_integral_value(ROUND_HALF_UP))

    @property
    def rows(self) -> dict[Table, int]:
        """The exact number of rows of each table."""
        return {Table.TENANTS: self.tenants} | {
            table: int((rows * self.factor).to_integral_value(ROUND_HALF_UP)) for table, rows in MEDIUM_ROWS.items()
        }

    def shares(self) -> list[dict[Table, int]]:
        """Share every table's rows among the tenants, whose sizes and habits differ.

        Returns:
            Per tenant, in tenant order, the rows of each table; they add up to `rows`.
        """
        companies = [company(number) for number in range(1, self.tenants + 1)]
        shared = {table: apportion(self.rows[table], _weights(table, companies)) for table in MEDIUM_ROWS}
        return [
            {Table.TENANTS: 1} | {table: int(rows[index]) for table, rows in shared.items()}
            for index in range(self.tenants)
        ]


def parse_scale(text: str) -> Scale:
    """Read ``small``, ``medium``, ``large`` or a multiple of medium.

    Raises:
        SeedError: It is neither a name nor a number in range.
    """
    if text in NAMED_FACTORS:
        return Scale(name=text, factor=NAMED_FACTORS[text])
    try:
        factor = Decimal(text)
    except InvalidOperation as error:
        raise _unknown(text) from error
    if not factor.is_finite():
        raise _unknown(text)
    if not SMALLEST_FACTOR <= factor <= LARGEST_FACTOR:
        raise SeedError(f"--scale {text} is out of range: choose a factor from {SMALLEST_FACTOR} to {LARGEST_FACTOR}.")
    return Scale(name=text, factor=factor)


def _unknown(text: str) -> SeedError:
    return SeedError(
        f"--scale {text!r} is unknown: choose small, medium, large or a factor "
        f"from {SMALLEST_FACTOR} to {LARGEST_FACTOR}."
    )


def _weights(table: Table, companies: list[Company]) -> Floats:
    """Return how much of a table each company has, relative to the others."""
    habits = {
        Table.CUSTOMERS: [1.0] * len(companies),
        Table.PRODUCTS: [each.trade.assortment / each.size for each in companies],
        Table.ORDERS: [each.trade.loyalty for each in companies],
        Table.ORDER_ITEMS: [each.trade.loyalty * each.trade.basket for each in companies],
        Table.EVENTS: [each.trade.traffic for each in companies],
        Table.SUBSCRIPTIONS: [each.trade.subscribing for each in companies],
        Table.INVOICES: [each.trade.invoicing for each in companies],
    }
    return np.multiply([each.size for each in companies], habits[table])
