"""The source schema: one model a file, columns in the order of the table."""

from __future__ import annotations

from saas.models.customer import Customer
from saas.models.event import Event, EventType
from saas.models.invoice import Invoice, InvoiceStatus
from saas.models.membership import Membership, Role
from saas.models.order import Order, OrderStatus
from saas.models.order_item import OrderItem
from saas.models.product import Product
from saas.models.subscription import BillingPeriod, Subscription, SubscriptionStatus
from saas.models.tenant import Plan, SlugTakenError, Tenant
from saas.models.user import User

__all__ = [
    "BillingPeriod",
    "Customer",
    "Event",
    "EventType",
    "Invoice",
    "InvoiceStatus",
    "Membership",
    "Order",
    "OrderItem",
    "OrderStatus",
    "Plan",
    "Product",
    "Role",
    "SlugTakenError",
    "Subscription",
    "SubscriptionStatus",
    "Tenant",
    "User",
]
