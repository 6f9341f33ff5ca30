"""Small shops at random: rows that a source could hold, for tests that compare two ways to the same numbers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

Rows = dict[str, list[dict[str, object]]]

ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland", "Asia/Kathmandu")
START = datetime(2026, 3, 1, tzinfo=UTC)
_DAYS = 120
_STATUSES = ("completed", "completed", "completed", "pending", "cancelled", "refunded")


def random_shop(rng: random.Random, tenant_id: int) -> Rows:
    """Return one tenant's rows of every silver table; any table but tenants may be empty."""
    base = tenant_id * 1_000
    customers = [base + number for number in range(rng.randint(0, 5))]
    products = [base + number for number in range(rng.randint(0, 4))]
    orders: list[dict[str, object]] = []
    items: list[dict[str, object]] = []
    for number in range(rng.randint(0, 12) if customers else 0):
        id_ = base + number
        total = f"{rng.randint(0, 9_999)}.{rng.randint(0, 99):02d}"
        moment = _moment(rng)
        orders.append({
            "id": id_, "tenant_id": tenant_id, "number": f"A-{id_}", "customer_id": rng.choice(customers),
            "status": rng.choice(_STATUSES), "order_date": moment, "subtotal": total, "discount": "0.00",
            "tax": "0.00", "total": total, "created_at": moment, "updated_at": moment,
        })  # fmt: skip
        items += [
            {
                "id": id_ * 10 + position, "tenant_id": tenant_id, "order_id": id_, "product_id": product,
                "quantity": rng.randint(1, 3), "unit_price": "2.50", "discount": "0.00", "total": "5.00",
                "created_at": moment,
            }
            for position, product in enumerate(rng.sample(products, rng.randint(0, len(products))))
        ]  # fmt: skip
    return {
        "tenants": [
            {
                "id": tenant_id, "slug": f"shop-{tenant_id}", "name": f"Shop {tenant_id}", "plan": "growth",
                "currency": "EUR", "timezone": rng.choice(ZONES), "created_at": START.isoformat(),
            }
        ],
        "customers": [
            {"id": id_, "tenant_id": tenant_id, "name": f"Customer {id_}", "country": "DE", "created_at": _moment(rng)}
            for id_ in customers
        ],
        "products": [
            {
                "id": id_, "tenant_id": tenant_id, "sku": f"S-{id_}", "name": f"Product {id_}",
                "category": rng.choice(["Cups", "Tea"]), "price": "2.50", "cost": "1.00",
                "stock_quantity": rng.randint(0, 50), "is_active": rng.random() < 0.8,
            }
            for id_ in products
        ],
        "orders": orders,
        "order_items": items,
        "events": [_event(rng, tenant_id, base + number, customers) for number in range(rng.randint(0, 15))],
        "subscriptions": [
            _subscription(rng, tenant_id, base + number, customers)
            for number in range(rng.randint(0, 4) if customers else 0)
        ],
        "invoices": [
            _invoice(rng, tenant_id, base + number, customers)
            for number in range(rng.randint(0, 5) if customers else 0)
        ],
    }  # fmt: skip


def together(shops: dict[int, Rows]) -> Rows:
    """Return the rows of several tenants as one source holds them."""
    names = random_shop(random.Random(0), 0).keys()
    return {name: [row for rows in shops.values() for row in rows[name]] for name in names}


def _moment(rng: random.Random) -> str:
    return (START + timedelta(seconds=rng.randrange(_DAYS * 86_400))).isoformat()


def _event(rng: random.Random, tenant_id: int, id_: int, customers: list[int]) -> dict[str, object]:
    return {
        "id": id_, "tenant_id": tenant_id, "customer_id": rng.choice([None, *customers]),
        "session_id": str(UUID(int=rng.randrange(6))), "created_at": _moment(rng),
        "event_type": rng.choice(["page_view", "product_view", "add_to_cart", "checkout", "purchase", "search"]),
    }  # fmt: skip


def _subscription(rng: random.Random, tenant_id: int, id_: int, customers: list[int]) -> dict[str, object]:
    start = START.date() + timedelta(days=rng.randrange(_DAYS))
    end = start + timedelta(days=rng.randrange(60)) if rng.random() < 0.5 else None
    return {
        "id": id_, "tenant_id": tenant_id, "customer_id": rng.choice(customers), "plan": "Box", "status": "active",
        "is_trial": rng.random() < 0.2, "billing_period": "monthly",
        "monthly_amount": f"{rng.randint(0, 90)}.50", "start_date": start.isoformat(),
        "end_date": None if end is None else end.isoformat(),
    }  # fmt: skip


def _invoice(rng: random.Random, tenant_id: int, id_: int, customers: list[int]) -> dict[str, object]:
    issued = START.date() + timedelta(days=rng.randrange(_DAYS))
    paid = issued + timedelta(days=rng.randrange(30)) if rng.random() < 0.6 else None
    return {
        "id": id_, "tenant_id": tenant_id, "number": f"I-{id_}", "customer_id": rng.choice(customers),
        "status": "open" if paid is None else "paid", "amount": f"{rng.randint(0, 500)}.00",
        "issue_date": issued.isoformat(), "due_date": (issued + timedelta(days=14)).isoformat(),
        "paid_date": None if paid is None else paid.isoformat(),
    }  # fmt: skip
