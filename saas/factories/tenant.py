"""Makes tenants."""

from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

from saas.models import Plan, Tenant


class TenantFactory(DjangoModelFactory[Tenant]):
    """A shop, registered as signing up registers it. Needs no scope."""

    class Meta:
        model = Tenant

    name = factory.Faker("company")
    slug = factory.Sequence(lambda number: f"shop-{number}")
    plan = factory.Faker("random_element", elements=Plan.values)
    currency = "EUR"
    timezone = "Europe/Berlin"
    metadata = factory.LazyFunction(dict)

    @classmethod
    def _create(cls, model_class: type[Tenant], *args: Any, **kwargs: Any) -> Tenant:
        return model_class.objects.register(*args, **kwargs)
