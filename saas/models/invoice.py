"""A bill, for an order, a subscription or neither."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from saas.models.columns import MoneyField
from saas.models.customer import Customer
from saas.models.order import Order
from saas.models.subscription import Subscription
from saas.tenancy.fields import ScopedKey
from saas.tenancy.models import TenantOwned


class InvoiceStatus(models.TextChoices):
    """Where a bill stands; overdue is an open one past its due date."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    CANCELLED = "cancelled"


class Invoice(TenantOwned):
    """What one customer owes or has paid."""

    number = models.CharField(max_length=20)
    customer = ScopedKey(Customer, on_delete=models.PROTECT, related_name="invoices")
    subscription = ScopedKey(Subscription, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    order = ScopedKey(Order, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices")
    status = models.CharField(max_length=20, choices=InvoiceStatus, default=InvoiceStatus.DRAFT)
    amount = MoneyField()
    issue_date = models.DateField()
    due_date = models.DateField()
    paid_date = models.DateField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantOwned.Meta):
        db_table = "invoices"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "number"],
                name="invoices_tenant_number_unique",
                violation_error_message="There is already an invoice with this number.",
            ),
            models.CheckConstraint(condition=models.Q(status__in=InvoiceStatus.values), name="invoices_status_known"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="invoices_money_not_negative"),
            models.CheckConstraint(
                condition=models.Q(due_date__gte=models.F("issue_date")),
                name="invoices_due_after_issue",
                violation_error_message="The invoice is due before it is issued.",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=InvoiceStatus.PAID) | models.Q(paid_date__isnull=False),
                name="invoices_paid_has_date",
                violation_error_message="A paid invoice needs the date it was paid.",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "customer"], name="invoices_tenant_customer"),
            models.Index(fields=["tenant", "due_date"], name="invoices_tenant_due"),
            models.Index(
                fields=["tenant", "subscription"],
                name="invoices_tenant_subscription",
                condition=models.Q(subscription__isnull=False),
            ),
            models.Index(
                fields=["tenant", "order"], name="invoices_tenant_order", condition=models.Q(order__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.number
