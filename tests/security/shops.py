"""Shops whose every text holds a canary, so that a leak can be searched for byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS

from saas.factories import (
    CustomerFactory,
    EventFactory,
    InvoiceFactory,
    MembershipFactory,
    OrderFactory,
    ProductFactory,
    SubscriptionFactory,
    TenantFactory,
    UserFactory,
)
from saas.models import Customer, Event, Invoice, Order, OrderItem, Product, Role, Subscription, Tenant, User
from saas.tenancy.models import TenantOwned
from saas.tenancy.scope import tenant_scope

TENANT_OWNED = tuple(sorted(TenantOwned.__subclasses__(), key=lambda model: model._meta.db_table))
"""Every model that belongs to tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A tenant with a row in every table and a member in every role."""

    tenant: Tenant
    canary: str
    members: dict[Role, User]
    customer: Customer
    product: Product
    order: Order
    item: OrderItem
    event: Event
    subscription: Subscription
    invoice: Invoice

    @property
    def slug(self) -> str:
        return self.tenant.slug


def open_shop(slug: str, *, using: str = DEFAULT_DB_ALIAS) -> Shop:
    """Register a tenant and fill every table."""
    canary = f"CANARY-{slug}"
    metadata = {"note": canary}
    tenant = TenantFactory(slug=slug, name=canary, metadata=metadata, using=using)
    members = {role: UserFactory(email=f"{role}@{slug}.example", using=using) for role in Role}
    with tenant_scope(tenant, using=using):
        for role, user in members.items():
            MembershipFactory(user=user, role=role)
        customer = CustomerFactory(name=canary, city=canary, email=f"{canary}@example.com", metadata=metadata)
        product = ProductFactory(name=canary, sku=canary, category=canary, metadata=metadata)
        order = OrderFactory(
            number=f"O-{canary}"[:20],
            customer=customer,
            shipping_address={"name": canary},
            metadata=metadata,
            items=2,
            items__product=product,
        )
        subscription = SubscriptionFactory(customer=customer, plan=canary, metadata=metadata)
        event = EventFactory(customer=customer, product=product, order=order, properties={"path": canary})
        invoice = InvoiceFactory(
            number=f"I-{canary}"[:20], customer=customer, subscription=subscription, order=order, metadata=metadata
        )
        return Shop(
            tenant=tenant,
            canary=canary,
            members=members,
            customer=customer,
            product=product,
            order=order,
            item=order.items.first(),
            event=event,
            subscription=subscription,
            invoice=invoice,
        )
