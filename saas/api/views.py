"""The API's lists and objects, one view set an entity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import QuerySet
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.viewsets import ModelViewSet

from saas.api.authentication import SignedIn
from saas.api.errors import explained
from saas.api.filters import FilteredView, NamedFilters, NamedOrdering
from saas.api.pagination import Pages
from saas.api.permissions import MembersReadOwnersWrite
from saas.api.serializers import (
    CustomerSerializer,
    EventSerializer,
    InvoiceSerializer,
    OrderItemSerializer,
    OrderSerializer,
    ProductSerializer,
    SubscriptionSerializer,
)
from saas.models import Customer, Event, Invoice, Order, OrderItem, Product, Subscription
from saas.tenancy.models import TenantOwned

_Row = TypeVar("_Row", bound=TenantOwned)


class TenantViewSet(ModelViewSet[_Row], FilteredView):
    """One entity of the tenant in scope."""

    model: ClassVar[type[TenantOwned]]
    ordering_fields: ClassVar[tuple[str, ...]] = ("id",)

    authentication_classes = (SignedIn,)
    permission_classes = (MembersReadOwnersWrite,)
    parser_classes = (JSONParser,)
    renderer_classes = (JSONRenderer,)
    filter_backends = (NamedFilters, NamedOrdering)
    pagination_class = Pages
    schema = AutoSchema()
    ordering = ("-id",)
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Any]:
        """Return the tenant's rows; none when the API is only being described."""
        if getattr(self, "swagger_fake_view", False):
            return self.model.objects.none()
        return self.model.objects.all()

    def handle_exception(self, exc: Exception) -> Response:
        """Answer with a sentence where the database or a constraint refused."""
        return super().handle_exception(explained(exc))


class CustomerViewSet(TenantViewSet[Customer]):
    """Whom the tenant sells to."""

    model = Customer
    serializer_class = CustomerSerializer
    filters: ClassVar[Mapping[str, str]] = {
        "email": "email",
        "country": "country",
        "signed_up_from": "created_at__gte",
        "signed_up_before": "created_at__lt",
    }
    ordering_fields = ("id", "email", "name", "created_at")


class ProductViewSet(TenantViewSet[Product]):
    """What the tenant sells."""

    model = Product
    serializer_class = ProductSerializer
    filters: ClassVar[Mapping[str, str]] = {"sku": "sku", "category": "category", "is_active": "is_active"}
    ordering_fields = ("id", "sku", "name", "price", "stock_quantity")


class OrderViewSet(TenantViewSet[Order]):
    """Purchases."""

    model = Order
    serializer_class = OrderSerializer
    filters: ClassVar[Mapping[str, str]] = {
        "number": "number",
        "customer": "customer",
        "status": "status",
        "ordered_from": "order_date__gte",
        "ordered_before": "order_date__lt",
    }
    ordering_fields = ("id", "number", "order_date", "total")


class OrderItemViewSet(TenantViewSet[OrderItem]):
    """The lines of purchases; every change brings the order's amounts in line."""

    model = OrderItem
    serializer_class = OrderItemSerializer
    filters: ClassVar[Mapping[str, str]] = {"order": "order", "product": "product"}

    def perform_create(self, serializer: serializers.BaseSerializer[OrderItem]) -> None:
        """Store the item and sum up its order."""
        serializer.save().order.sum_items()

    def perform_update(self, serializer: serializers.BaseSerializer[OrderItem]) -> None:
        """Store the item and sum up its order, and the one it was in before."""
        before = self.get_object().order
        after = serializer.save().order
        for order in sorted({before, after}, key=lambda order: order.id):
            order.sum_items()

    def perform_destroy(self, instance: OrderItem) -> None:
        """Delete the item and sum up its order."""
        order = instance.order
        super().perform_destroy(instance)
        order.sum_items()


class EventViewSet(TenantViewSet[Event]):
    """What visitors did in the tenant's shop."""

    model = Event
    serializer_class = EventSerializer
    filters: ClassVar[Mapping[str, str]] = {
        "customer": "customer",
        "session_id": "session_id",
        "event_type": "event_type",
        "from": "created_at__gte",
        "before": "created_at__lt",
    }
    ordering_fields = ("id", "created_at")


class SubscriptionViewSet(TenantViewSet[Subscription]):
    """Recurring agreements."""

    model = Subscription
    serializer_class = SubscriptionSerializer
    filters: ClassVar[Mapping[str, str]] = {"customer": "customer", "plan": "plan", "status": "status"}
    ordering_fields = ("id", "start_date", "monthly_amount")


class InvoiceViewSet(TenantViewSet[Invoice]):
    """Bills."""

    model = Invoice
    serializer_class = InvoiceSerializer
    filters: ClassVar[Mapping[str, str]] = {
        "number": "number",
        "customer": "customer",
        "subscription": "subscription",
        "order": "order",
        "status": "status",
        "due_from": "due_date__gte",
        "due_before": "due_date__lt",
    }
    ordering_fields = ("id", "number", "issue_date", "due_date", "amount")
