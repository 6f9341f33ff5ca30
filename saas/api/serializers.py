"""One entity each as JSON: what clients may send, and what they get.

The tenant is never a field: it comes from the address. References are looked up among
the tenant's own rows, so another tenant's id is an id that does not exist.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

from django.core.exceptions import ValidationError
from rest_framework import serializers

from saas.api.errors import explained
from saas.models import Customer, Event, Invoice, Order, OrderItem, Product, Subscription
from saas.tenancy.models import TenantOwned

_Row = TypeVar("_Row", bound=TenantOwned)


class TenantSerializer(serializers.ModelSerializer[_Row]):
    """Checks the model's constraints, so that the database has nothing left to refuse."""

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return the attributes together with those derived from them.

        Raises:
            ValidationError: The row would break one of the model's constraints.
        """
        model: type[TenantOwned] = self.Meta.model
        row = model() if self.instance is None else copy.copy(cast("TenantOwned", self.instance))
        for name, value in attributes.items():
            setattr(row, name, value)
        row.tenant = self.context["request"].tenant
        derived = self.derive(row)
        try:
            row.validate_constraints()
        except ValidationError as error:
            raise explained(error) from error
        return attributes | derived

    def derive(self, row: Any) -> dict[str, Any]:  # noqa: ARG002 - most rows have nothing derived
        """Set what follows from the row's other attributes, and return it."""
        return {}


class CustomerSerializer(TenantSerializer[Customer]):
    """A customer; `created_at` is when they signed up."""

    class Meta:
        model = Customer
        fields = ["id", "email", "name", "country", "city", "phone", "metadata", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]


class ProductSerializer(TenantSerializer[Product]):
    """A product, with what it costs the tenant."""

    class Meta:
        model = Product
        fields = [
            "id",
            "sku",
            "name",
            "category",
            "price",
            "cost",
            "stock_quantity",
            "is_active",
            "metadata",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["created_at", "updated_at"]


class OrderSerializer(TenantSerializer[Order]):
    """An order; its subtotal follows from its items, its total from the amounts."""

    class Meta:
        model = Order
        fields = [
            "id",
            "number",
            "customer",
            "status",
            "order_date",
            "subtotal",
            "discount",
            "tax",
            "total",
            "shipping_address",
            "metadata",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["subtotal", "total", "created_at", "updated_at"]

    def derive(self, row: Order) -> dict[str, Any]:
        """Set the total, and return it."""
        row.derive_total()
        return {"total": row.total}


class OrderItemSerializer(TenantSerializer[OrderItem]):
    """A line of an order; its total follows from quantity, price and discount."""

    class Meta:
        model = OrderItem
        fields = ["id", "order", "product", "quantity", "unit_price", "discount", "total", "created_at"]
        read_only_fields = ["total", "created_at"]

    def derive(self, row: OrderItem) -> dict[str, Any]:
        """Set the total, and return it."""
        row.derive_total()
        return {"total": row.total}


class EventSerializer(TenantSerializer[Event]):
    """A visitor's act; `created_at` is when it happened."""

    class Meta:
        model = Event
        fields = ["id", "customer", "session_id", "event_type", "product", "order", "properties", "created_at"]


class SubscriptionSerializer(TenantSerializer[Subscription]):
    """A customer's subscription."""

    class Meta:
        model = Subscription
        fields = [
            "id",
            "customer",
            "plan",
            "status",
            "is_trial",
            "billing_period",
            "monthly_amount",
            "start_date",
            "end_date",
            "metadata",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["created_at", "updated_at"]


class InvoiceSerializer(TenantSerializer[Invoice]):
    """A bill."""

    class Meta:
        model = Invoice
        fields = [
            "id",
            "number",
            "customer",
            "subscription",
            "order",
            "status",
            "amount",
            "issue_date",
            "due_date",
            "paid_date",
            "metadata",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["created_at", "updated_at"]
