"""What a tenant sells."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now

from saas.models.columns import MoneyField
from saas.tenancy.models import TenantOwned


class Product(TenantOwned):
    """An article with its price and what it costs the tenant."""

    sku = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    category = models.CharField(max_length=60)
    price = MoneyField()
    cost = MoneyField()
    stock_quantity = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantOwned.Meta):
        db_table = "products"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "sku"],
                name="products_tenant_sku_unique",
                violation_error_message="There is already a product with this SKU.",
            ),
            models.CheckConstraint(condition=models.Q(price__gte=0, cost__gte=0), name="products_money_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name
