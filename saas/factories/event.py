"""Makes events."""

from __future__ import annotations

import uuid

import factory
from factory.django import DjangoModelFactory

from saas.factories.customer import CustomerFactory
from saas.models import Event, EventType


class EventFactory(DjangoModelFactory[Event]):
    """A page view of a known customer of the tenant in scope."""

    class Meta:
        model = Event

    customer = factory.SubFactory(CustomerFactory)
    session_id = factory.LazyFunction(uuid.uuid4)
    event_type = EventType.PAGE_VIEW
    properties = factory.LazyFunction(lambda: {"path": "/"})
