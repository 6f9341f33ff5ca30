"""A visitor's act in the tenant's shop."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from saas.models.customer import Customer
from saas.models.order import Order
from saas.models.product import Product
from saas.tenancy.fields import ScopedKey
from saas.tenancy.models import TenantOwned


class EventType(models.TextChoices):
    """What the visitor did."""

    PAGE_VIEW = "page_view"
    PRODUCT_VIEW = "product_view"
    ADD_TO_CART = "add_to_cart"
    CHECKOUT = "checkout"
    PURCHASE = "purchase"
    SEARCH = "search"


class Event(TenantOwned):
    """One act of one session; the visitor may be unknown."""

    customer = ScopedKey(Customer, on_delete=models.SET_NULL, null=True, blank=True, related_name="events")
    session_id = models.UUIDField()
    event_type = models.CharField(max_length=30, choices=EventType)
    product = ScopedKey(Product, on_delete=models.SET_NULL, null=True, blank=True, related_name="events")
    order = ScopedKey(Order, on_delete=models.SET_NULL, null=True, blank=True, related_name="events")
    properties = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta(TenantOwned.Meta):
        db_table = "events"
        constraints = [
            models.CheckConstraint(condition=models.Q(event_type__in=EventType.values), name="events_type_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "created_at"], name="events_tenant_created"),
            models.Index(
                fields=["tenant", "customer"],
                name="events_tenant_customer",
                condition=models.Q(customer__isnull=False),
            ),
            models.Index(
                fields=["tenant", "order"], name="events_tenant_order", condition=models.Q(order__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.created_at:%Y-%m-%d %H:%M}"
