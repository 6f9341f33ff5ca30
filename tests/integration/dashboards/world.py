"""Two shops with members, and a lake that holds both: whatever is shown must come from one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from etl.contracts.publication import Publication
from etl.engine.lake import LakeConfig
from etl.gold.materialise import materialise
from etl.jobs.progress import Progress
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine
from saas.factories import MembershipFactory, TenantFactory, UserFactory
from saas.models import Tenant, User
from saas.tenancy.scope import tenant_scope
from tests.silver_lake import write_silver

NOW = datetime.now(UTC)
EMPTY = "DELETE FROM memberships; DELETE FROM tenants; DELETE FROM django_session; DELETE FROM users"


@dataclass(kw_only=True)
class Published:
    """What readers see at the moment; stands where the control plane stands."""

    publication: Publication | None = None
    lake: LakeConfig | None = None
    engine: DuckDBQueryEngine | None = None
    held_back: datetime | None = None

    def current(self) -> Publication | None:
        return self.publication

    def withheld(self) -> datetime | None:
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
            for shop in shops for number in range(12)
        ],
        "products": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "sku": f"{shop.canary}-{number}",
             "name": shop.canary, "category": shop.canary, "stock_quantity": 10}
            for shop in shops for number in range(12)
        ],
        "orders": [order(shop, number, days) for shop in shops for number, days in enumerate((40, 10, 5, 2, 0))],
        "order_items": [
            {"id": _key(shop, number), "tenant_id": shop.tenant.id, "order_id": _key(shop, 1),
             "product_id": _key(shop, number), "quantity": 1, "total": "10.00"}
            for shop in shops for number in range(12)
        ],
    })  # fmt: skip
    results = materialise(lake, Progress(), as_of=NOW)
    pins = tuple(result.pin for result in results if result.pin is not None)
    return Publication(number=7, published_at=NOW, as_of=NOW, source_lsn=1, pins=pins)


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
    return shop.tenant.id * 100 + number
