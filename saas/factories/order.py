"""Makes orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory

from saas.factories.customer import CustomerFactory
from saas.models import Order, OrderStatus


class OrderFactory(DjangoModelFactory[Order]):
    """A purchase in the tenant in scope; `OrderFactory(items=3)` has three items and their total."""

    class Meta:
        model = Order
        skip_postgeneration_save = True

    number = factory.Sequence(lambda number: f"ORD-{number:08d}")
    customer = factory.SubFactory(CustomerFactory)
    status = OrderStatus.COMPLETED
    subtotal = Decimal(0)
    discount = Decimal(0)
    tax = Decimal(0)
    total = factory.LazyAttribute(lambda order: order.subtotal - order.discount + order.tax)
    shipping_address = factory.LazyAttribute(
        lambda order: {"name": order.customer.name, "city": order.customer.city, "country": order.customer.country}
    )

    @factory.post_generation
    def items(self: Any, create: bool, count: int | None, **kwargs: Any) -> None:  # noqa: FBT001 - called by the library
        """Make ``count`` items, and sum them up."""
        if create and count:
            from saas.factories.order_item import OrderItemFactory  # noqa: PLC0415 - the two refer to each other

            OrderItemFactory.create_batch(count, order=self, **kwargs)
            self.sum_items()
