"""Makes customers."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from saas.models import Customer


class CustomerFactory(DjangoModelFactory[Customer]):
    """A buyer of the tenant in scope."""

    class Meta:
        model = Customer

    email = factory.Sequence(lambda number: f"customer-{number}@example.com")
    name = factory.Faker("name")
    country = factory.Faker("random_element", elements=["DE", "AT", "CH", "FR", "NL", "PL"])
    city = factory.Faker("city")
    phone = factory.Faker("numerify", text="+49 ### #######")
    metadata = factory.LazyFunction(lambda: {"newsletter": True})
