"""Makes order items."""

from __future__ import annotations

from decimal import Decimal

import factory
from factory.django import DjangoModelFactory

from saas.factories.order import OrderFactory
from saas.factories.product import ProductFactory
from saas.models import OrderItem


class OrderItemFactory(DjangoModelFactory[OrderItem]):
    """A line of an order, at the product's price. Summing up the order is the caller's."""

    class Meta:
        model = OrderItem

    order = factory.SubFactory(OrderFactory)
    product = factory.SubFactory(ProductFactory)
    quantity = factory.Faker("random_int", min=1, max=4)
    unit_price = factory.LazyAttribute(lambda item: item.product.price)
    discount = Decimal(0)
    total = factory.LazyAttribute(lambda item: item.quantity * item.unit_price - item.discount)
