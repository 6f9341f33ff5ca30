"""Order items: what was bought, at the price the product had at that moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from saas.seeding import columns
from saas.seeding.companies import Company
from saas.seeding.shapes import Ints, chance, part_of, pick
from saas.seeding.stream import Stream
from saas.seeding.tables.orders import Checkouts
from saas.seeding.tables.products import Products

_BASKET_SHAPE = 1.3
"""Of the gamma distribution that makes some baskets bigger than others."""
_MOST_PIECES = 12
_REDUCED_SHARE = 0.09
_REDUCTIONS = (500, 1_000, 1_500, 2_000, 3_000)
"""Basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderItems:
    """One tenant's order items, order by order: total = quantity x unit_price - discount."""

    stream: Stream
    checkouts: Checkouts
    products: Products
    order: Ints
    """Positions in the tenant's orders, ascending; every order occurs."""
    first_of_order: Ints
    """The position of each order's first item."""
    product: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints
    total: Ints

    @classmethod
    def draw(cls, stream: Stream, company: Company, checkouts: Checkouts, products: Products) -> OrderItems:
        """Fill the baskets: every order has at least one item."""
        rng, count, orders = stream.rng, stream.count, len(checkouts.ordered_at)
        size = rng.gamma(_BASKET_SHAPE, size=orders)
        items = 1 + rng.multinomial(count - orders, size / size.sum())
        order = np.repeat(np.arange(orders), items)
        bought_at = checkouts.ordered_at[order]
        product = pick(rng, products.popularity, products.eligible(bought_at))
        quantity = np.minimum(rng.geometric(1 - company.trade.bulk, count), _MOST_PIECES)
        unit_price = products.price_at(product, bought_at)
        reduction = np.where(
            chance(rng, count, _REDUCED_SHARE), np.array(_REDUCTIONS)[rng.integers(0, len(_REDUCTIONS), count)], 0
        )
        discount = part_of(quantity * unit_price, reduction, company.home.cent_step)
        return cls(
            stream=stream,
            checkouts=checkouts,
            products=products,
            order=order,
            first_of_order=np.cumsum(items) - items,
            product=product,
            quantity=quantity,
            unit_price=unit_price,
            discount=discount,
            total=quantity * unit_price - discount,
        )

    @property
    def subtotals(self) -> Ints:
        """The sum of each order's items, in cents."""
        return np.add.reduceat(self.total, self.first_of_order)

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        order = self.order[part]
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "order_id": columns.whole(self.checkouts.stream.ids_at(order)),
                "product_id": columns.whole(self.products.stream.ids_at(self.product[part])),
                "quantity": columns.whole(self.quantity[part]),
                "unit_price": columns.money(self.unit_price[part]),
                "discount": columns.money(self.discount[part]),
                "total": columns.money(self.total[part]),
                "created_at": columns.instants(self.checkouts.ordered_at[order]),
            }
        )
