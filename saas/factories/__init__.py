"""Factories: one valid object each, for tests and small data.

A factory writes into the tenant in scope, and so do the factories of what it refers to:

    tenant = TenantFactory()
    with tenant_scope(tenant):
        order = OrderFactory(items=3)
"""

from __future__ import annotations

from saas.factories.customer import CustomerFactory
from saas.factories.event import EventFactory
from saas.factories.invoice import InvoiceFactory
from saas.factories.membership import MembershipFactory
from saas.factories.order import OrderFactory
from saas.factories.order_item import OrderItemFactory
from saas.factories.product import ProductFactory
from saas.factories.subscription import SubscriptionFactory
from saas.factories.tenant import TenantFactory
from saas.factories.user import UserFactory

__all__ = [
    "CustomerFactory",
    "EventFactory",
    "InvoiceFactory",
    "MembershipFactory",
    "OrderFactory",
    "OrderItemFactory",
    "ProductFactory",
    "SubscriptionFactory",
    "TenantFactory",
    "UserFactory",
]
