"""A purchase."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.timezone import now

from saas.models.columns import MoneyField
from saas.models.customer import Customer
from saas.tenancy.fields import ScopedKey
from saas.tenancy.models import TenantOwned


class OrderStatus(models.TextChoices):
    """How far a purchase has come."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Order(TenantOwned):
    """A purchase of one customer: `total` = `subtotal` - `discount` + `tax`, `subtotal` = the items' totals."""

    number = models.CharField(max_length=20)
    customer = ScopedKey(Customer, on_delete=models.PROTECT, related_name="orders")
    status = models.CharField(max_length=20, choices=OrderStatus, default=OrderStatus.PENDING)
    order_date = models.DateTimeField(default=now)
    subtotal = MoneyField(default=Decimal(0))
    discount = MoneyField(default=Decimal(0))
    tax = MoneyField(default=Decimal(0))
    total = MoneyField(default=Decimal(0))
    shipping_address = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantOwned.Meta):
        db_table = "orders"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number"],
                name="orders_tenant_number_unique",
                violation_error_message="There is already an order with this number.",
            ),
            models.CheckConstraint(condition=models.Q(status__in=OrderStatus.values), name="orders_status_known"),
            models.CheckConstraint(
                condition=models.Q(subtotal__gte=0, discount__gte=0, tax__gte=0, total__gte=0),
                name="orders_money_not_negative",
                violation_error_message="The discount is higher than the items' total.",
            ),
            models.CheckConstraint(
                condition=models.Q(total=models.F("subtotal") - models.F("discount") + models.F("tax")),
                name="orders_total_is_sum",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "order_date"], name="orders_tenant_date"),
            models.Index(fields=["tenant", "customer"], name="orders_tenant_customer"),
        ]

    def __str__(self) -> str:
        return self.number

    def derive_total(self) -> None:
        """Set `total` from the amounts it consists of."""
        self.total = self.subtotal - self.discount + self.tax

    def sum_items(self) -> None:
        """Bring the amounts in line with the items as they are now, and store them.

        Whoever changes items calls this last; the row's lock lets them do so one at a time.

        Raises:
            ValidationError: The items' total no longer covers the discount.
        """
        self.refresh_from_db(from_queryset=Order.objects.select_for_update())
        self.subtotal = self.items.aggregate(total=models.Sum("total", default=Decimal(0)))["total"]
        self.derive_total()
        self.validate_constraints()
        self.save(update_fields=["subtotal", "total", "updated_at"])
