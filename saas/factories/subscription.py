"""Makes subscriptions."""

from __future__ import annotations

from decimal import Decimal

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from saas.factories.customer import CustomerFactory
from saas.models import Subscription


class SubscriptionFactory(DjangoModelFactory[Subscription]):
    """An active monthly agreement in the tenant in scope, from today."""

    class Meta:
        model = Subscription

    customer = factory.SubFactory(CustomerFactory)
    plan = factory.Faker("random_element", elements=["basic", "plus", "premium"])
    monthly_amount = Decimal("29.00")
    start_date = factory.LazyFunction(timezone.localdate)
