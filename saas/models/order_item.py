"""One product line of a purchase."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.timezone import now

from saas.models.columns import MoneyField
from saas.models.order import Order
from saas.models.product import Product
from saas.tenancy.fields import ScopedKey
from saas.tenancy.models import TenantOwned


class OrderItem(TenantOwned):
    """So many pieces of one product: `total` = `quantity` * `unit_price` - `discount`."""

    order = ScopedKey(Order, on_delete=models.CASCADE, related_name="items")
    product = ScopedKey(Product, on_delete=models.PROTECT, related_name="order_items")
    quantity = models.IntegerField(validators=[MinValueValidator(1)])
    unit_price = MoneyField()
    discount = MoneyField(default=Decimal(0))
    total = MoneyField()
    created_at = models.DateTimeField(default=now)

    class Meta(TenantOwned.Meta):
        db_table = "order_items"
        constraints = [
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="order_items_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(unit_price__gte=0, discount__gte=0, total__gte=0),
                name="order_items_money_not_negative",
                violation_error_message="The discount is higher than the price of the pieces.",
            ),
            models.CheckConstraint(
                condition=models.Q(total=models.F("quantity") * models.F("unit_price") - models.F("discount")),
                name="order_items_total_is_product",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "order"], name="order_items_tenant_order"),
            models.Index(fields=["tenant", "product"], name="order_items_tenant_product"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"

    def derive_total(self) -> None:
        """Set `total` from the amounts it consists of."""
        self.total = self.quantity * self.unit_price - self.discount
