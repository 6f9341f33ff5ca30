"""Makes products."""

from __future__ import annotations

from decimal import Decimal

import factory
from factory.django import DjangoModelFactory
from factory.fuzzy import FuzzyDecimal

from saas.models import Product


class ProductFactory(DjangoModelFactory[Product]):
    """An article of the tenant in scope, sold with a margin."""

    class Meta:
        model = Product

    sku = factory.Sequence(lambda number: f"SKU-{number:06d}")
    name = factory.Faker("catch_phrase")
    category = factory.Faker("random_element", elements=["Garden", "Kitchen", "Office", "Outdoor", "Toys"])
    price = FuzzyDecimal(5, 250, precision=2)
    cost = factory.LazyAttribute(lambda product: (product.price * Decimal("0.60")).quantize(Decimal("0.01")))
    stock_quantity = factory.Faker("random_int", min=0, max=500)
    metadata = factory.LazyFunction(lambda: {"weight_grams": 250})
