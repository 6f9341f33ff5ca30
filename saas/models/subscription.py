"""A recurring agreement with a monthly amount."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from saas.models.columns import MoneyField
from saas.models.customer import Customer
from saas.tenancy.fields import ScopedKey
from saas.tenancy.models import TenantOwned


class SubscriptionStatus(models.TextChoices):
    """Where an agreement stands."""

    TRIALING = "trialing"
    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class BillingPeriod(models.TextChoices):
    """How often it is billed."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


class Subscription(TenantOwned):
    """One customer's agreement on one plan; a new plan, or a trial's end, starts a new row the same day."""

    customer = ScopedKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.CharField(max_length=40)
    status = models.CharField(max_length=20, choices=SubscriptionStatus, default=SubscriptionStatus.ACTIVE)
    is_trial = models.BooleanField(default=False)
    billing_period = models.CharField(max_length=10, choices=BillingPeriod, default=BillingPeriod.MONTHLY)
    monthly_amount = MoneyField()
    start_date = models.DateField()
    end_date = models.DateField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantOwned.Meta):
        db_table = "subscriptions"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=SubscriptionStatus.values), name="subscriptions_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(billing_period__in=BillingPeriod.values), name="subscriptions_period_known"
            ),
            models.CheckConstraint(condition=models.Q(monthly_amount__gte=0), name="subscriptions_money_not_negative"),
            models.CheckConstraint(
                condition=models.Q(end_date__isnull=True) | models.Q(end_date__gte=models.F("start_date")),
                name="subscriptions_end_after_start",
                violation_error_message="The subscription ends before it starts.",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "customer"], name="subscriptions_tenant_customer")]

    def __str__(self) -> str:
        return f"{self.plan} from {self.start_date}"
