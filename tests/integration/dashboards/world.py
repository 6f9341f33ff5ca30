"""Two shops with members, and a lake that holds both: whatever is shown must come from one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from etl.contracts.publication import Publication, Withheld
from etl.engine.lake import LakeConfig
from etl.gold.materialise import materialise
from etl.jobs.progress import Progress
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine
from saas.factories import MembershipFactory, TenantFactory, UserFactory
from saas.models import Tenant, User
from saas.tenancy.scope import tenant_scope
from tests.silver_lake import write_silver

NOW = datetime.now(UTC)
CUSTOMERS = 80
"""Of each shop: enough for risks to be learned."""
EMPTY = "DELETE FROM memberships; DELETE FROM tenants; DELETE FROM django_session; DELETE FROM users"


@dataclass(kw_only=True)
class Published:
    """What readers see at the moment; stands where the control plane stands."""

    publication: Publication | None = None
    lake: LakeConfig | None = None
    engine: DuckDBQueryEngine | None = None
    held_back: Withheld | None = None

    def current(self) -> Publication | None:
        return self.publication

    def withheld(self) -> Withheld | None:
        return self.held_back


PUBLISHED = Published()


def publication_reader() -> Published:
    return PUBLISHED


def query_engine() -> DuckDBQueryEngine:
    assert PUBLISHED.engine is not None
    return PUBLISHED.engine


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A tenant and somebody who belongs to it."""

    tenant: Tenant
    owner: User
    canary: str
    revenue: Decimal
    """Of the last 30 complete days."""

    def address(self, path: str = "") -> str:
        return f"/t/{self.tenant.slug}/{path}"


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything the tests walk about in."""

    ours: Shop
    theirs: Shop
    newcomer: Shop
    """Registered after the publication: gold does not know it."""
    publication: Publication


def open_shop(slug: str) -> Shop:
    canary = f"CANARY-{slug}"
    tenant = TenantFactory(slug=slug, name=f"{canary} <&> shop", timezone="Europe/Berlin")
    owner = UserFactory(email=f"owner@{slug}.example")
    with tenant_scope(tenant):
        MembershipFactory(user=owner)
    revenue = Decimal(tenant.id) * Decimal("100.10") * 3
    return Shop(tenant=tenant, owner=owner, canary=canary, revenue=revenue)


def publish(lake: LakeConfig, shops: list[Shop]) -> Publication:
    """Fill silver with shops whose every text holds a canary and whose amounts hold the tenant's id."""
    write_silver(lake, {
        "tenants": [{"id": shop.tenant.id, "name": shop.canary, "timezone": "Europe/Berlin"} for shop in shops],
        "customers": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "name": f"=1+1 {shop.canary} {number}"}
            for shop in shops for number in range(CUSTOMERS)
        ],
        "products": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "sku": f"{shop.canary}-{number}",
             "name": shop.canary, "category": shop.canary, "stock_quantity": 10}
            for shop in shops for number in range(12)
        ],
        "orders": [
            *(order(shop, number, days) for shop in shops for number, days in enumerate((40, 10, 5, 2, 0))),
            *(each for shop in shops for each in _old_orders(shop)),
        ],
        "order_items": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "order_id": _key(shop, 1),
             "product_id": _key(shop, number), "quantity": 1, "total": "10.00"}
            for shop in shops for number in range(12)
        ],
        "events": [each for shop in shops for each in _visits(shop)],
        "subscriptions": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "customer_id": _key(shop, number),
             "is_trial": number == 0, "monthly_amount": "0.00" if number == 0 else "30.00",
             "start_date": (NOW - timedelta(days=90)).date(),
             "end_date": (NOW - timedelta(days=70 if number == 0 else 20)).date() if number < 2 else None}
            for shop in shops for number in range(4)
        ],
        "invoices": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "customer_id": _key(shop, 2), "amount": "30.00",
             "status": "paid" if number else "sent", "issue_date": (NOW - timedelta(days=60)).date(),
             "due_date": (NOW - timedelta(days=46)).date(),
             "paid_date": (NOW - timedelta(days=50)).date() if number else None}
            for shop in shops for number in range(3)
        ],
    })  # fmt: skip
    results = materialise(lake, Progress(), as_of=NOW)
    pins = tuple(result.pin for result in results if result.pin is not None)
    return Publication(number=7, published_at=NOW, as_of=NOW, source_lsn=1, pins=pins)


def _old_orders(shop: Shop) -> list[dict[str, object]]:
    """Return what a forecast and a risk can be learned from, all of it more than 30 days ago.

    Everybody buys 130 and 200 days ago; the first half again 90 and, of these, one half 45 days ago.
    """
    days = {200: CUSTOMERS, 130: CUSTOMERS, 90: CUSTOMERS // 2, 45: CUSTOMERS // 4}
    placed = [(number, ago) for ago, buyers in days.items() for number in range(buyers)]
    return [
        {**order(shop, 100 + place, ago + number % 20), "customer_id": _key(shop, number)}
        for place, (number, ago) in enumerate(placed)
    ]


def _visits(shop: Shop) -> list[dict[str, object]]:
    """Return a visit a day, on the way to a purchase."""
    steps = ("page_view", "product_view", "add_to_cart", "checkout", "purchase")
    return [
        {"id": _key(shop, 10 * ago + place), "tenant_id": shop.tenant.id, "customer_id": _key(shop, ago % 7),
         "session_id": f"{shop.canary}-{ago}", "event_type": step,
         "created_at": (NOW - timedelta(days=ago, minutes=10 - place)).isoformat()}
        for ago in range(1, 120) for place, step in enumerate(steps[: 1 + ago % 5])
    ]  # fmt: skip


def order(shop: Shop, number: int, days_ago: int) -> dict[str, object]:
    amount = Decimal(shop.tenant.id) * Decimal("100.10")
    return {
        "id": _key(shop, number),
        "tenant_id": shop.tenant.id,
        "customer_id": _key(shop, number),
        "total": amount,
        "order_date": (NOW - timedelta(days=days_ago)).isoformat(),
    }


def _key(shop: Shop, number: int) -> int:
    return shop.tenant.id * 10_000 + number
