"""What people do, and the changes it makes: the mix of a shop's ordinary day.

Shares are of acts. Orders take up most of the changes, for each brings its items, their
stock and an event.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from saas.traffic import batch as changes
from saas.traffic.batch import Batch
from saas.traffic.ids import Ids
from saas.traffic.shops import Order, Product, Shop, remember, take

_STEPS = ("page_view", "search", "product_view", "product_view", "add_to_cart", "checkout")
_MOST_ITEMS = 4
_DRAFT_SHARE = 0.15
_DRAFTS_KEPT = 100
_COUPON_SHARE, _COUPON_PERCENT = 0.2, 10
_TAX_PERCENT = 20
_RESTOCK_BELOW, _RESTOCK_TO = 5, 200
_DAYS_TO_PAY = 14

MOST_CHANGES = 2 + 2 * _MOST_ITEMS
"""An act makes at most so many: an order with its items, their stock, and the purchase's event."""


@dataclass(slots=True)
class Scene:
    """Where an act takes place."""

    shop: Shop
    moment: datetime
    batch: Batch
    ids: Ids
    rng: random.Random
    room: int
    """The act may make at most so many changes."""


def visit(scene: Scene) -> bool:
    """Somebody looks around."""
    rng, shop = scene.rng, scene.shop
    session = UUID(int=rng.getrandbits(128), version=4)
    customer = rng.choice(shop.customers) if rng.random() < 0.5 else None  # noqa: PLR2004 - half are known
    for step in _STEPS[: rng.randint(1, min(scene.room, len(_STEPS)))]:
        product = rng.choice(shop.products).id if step in {"product_view", "add_to_cart"} else None
        _event(scene, customer, session, step, product=product)
    return True


def order(scene: Scene) -> bool:
    """A customer buys; by phone, it may yet be called off."""
    rng, shop, now = scene.rng, scene.shop, scene.moment
    customer, id_ = rng.choice(shop.customers), scene.ids.next("orders")
    is_draft = rng.random() < _DRAFT_SHARE
    subtotal, item_ids = 0, []
    for product in _basket(rng, shop):
        quantity, item_id = rng.randint(1, 3), scene.ids.next("order_items")
        price, total = product.price_cents, product.price_cents * quantity
        scene.batch.add(changes.NEW_ITEM, item_id, id_, product.id, quantity, _money(price), "0.00", _money(total), now)
        product.stock = _RESTOCK_TO if product.stock < _RESTOCK_BELOW else product.stock - min(quantity, product.stock)
        _store(scene, product)
        subtotal += total
        item_ids.append(item_id)
    step = shop.cent_step
    discount = _part(subtotal, _COUPON_PERCENT, step) if rng.random() < _COUPON_SHARE else 0
    tax = _part(subtotal - discount, _TAX_PERCENT, step)
    total = subtotal - discount + tax
    scene.batch.add(
        changes.NEW_ORDER, id_, f"T-{id_}", customer, "pending", now, _money(subtotal), _money(discount), _money(tax),
        _money(total), "{}", '{"channel": "phone"}' if is_draft else '{"channel": "web"}', now, now,
    )  # fmt: skip
    placed = Order(id_, customer, total, tuple(item_ids))
    if is_draft:
        shop.drafts.append(placed)
        if len(shop.drafts) > _DRAFTS_KEPT:
            shop.pending.append(shop.drafts.pop(0))
    else:
        remember(shop.pending, placed)
        _event(scene, customer, UUID(int=rng.getrandbits(128), version=4), "purchase", order_id=id_)
    return True


def complete(scene: Scene) -> bool:
    """A pending order is shipped."""
    found = _settle(scene, scene.shop.pending, "completed")
    if found is not None:
        remember(scene.shop.completed, found)
    return found is not None


def cancel(scene: Scene) -> bool:
    """A pending order is called off."""
    return _settle(scene, scene.shop.pending, "cancelled") is not None


def refund(scene: Scene) -> bool:
    """A completed order is sent back."""
    return _settle(scene, scene.shop.completed, "refunded") is not None


def abandon(scene: Scene) -> bool:
    """A draft is removed, its items with it."""
    if not scene.shop.drafts:
        return False
    draft = take(scene.rng, scene.shop.drafts)
    for item_id in draft.item_ids:
        scene.batch.add(changes.GONE_ITEM, item_id)
    scene.batch.add(changes.GONE_ORDER, draft.id)
    return True


def forget(scene: Scene) -> bool:
    """A visitor asks to be forgotten: some events go."""
    wanted = min(scene.rng.randint(1, 5), scene.room, len(scene.shop.events))
    for _ in range(wanted):
        scene.batch.add(changes.GONE_EVENT, take(scene.rng, scene.shop.events))
    return wanted > 0


def sign_up(scene: Scene) -> bool:
    """Somebody becomes a customer."""
    id_ = scene.ids.next("customers")
    email, name = f"customer{id_}@example.com", f"Customer {id_}"
    scene.batch.add(changes.NEW_CUSTOMER, id_, email, name, "DE", "Berlin", None, "{}", scene.moment, scene.moment)
    remember(scene.shop.customers, id_)
    return True


def change_phone(scene: Scene) -> bool:
    """A customer gives another telephone number, or takes it back."""
    phone = f"+49 30 {scene.rng.randrange(10**6):06d}" if scene.rng.random() < 0.8 else None  # noqa: PLR2004
    scene.batch.add(changes.CUSTOMER_PHONE, scene.rng.choice(scene.shop.customers), phone, scene.moment)
    return True


def reprice(scene: Scene) -> bool:
    """A product gets another price."""
    product, step = scene.rng.choice(scene.shop.products), scene.shop.cent_step
    product.price_cents = max(step, _part(product.price_cents, scene.rng.randint(90, 112), step))
    _store(scene, product)
    return True


def subscribe(scene: Scene) -> bool:
    """A customer agrees on a plan."""
    if not scene.shop.plans:
        return False
    _agree(scene, scene.rng.choice(scene.shop.customers))
    return True


def change_plan(scene: Scene) -> bool:
    """A subscriber takes another plan: one agreement ends, the next begins the same day."""
    if not scene.shop.subscriptions:
        return False
    _agree(scene, _end(scene, "expired"))
    return True


def unsubscribe(scene: Scene) -> bool:
    """A subscriber leaves."""
    if not scene.shop.subscriptions:
        return False
    _end(scene, "cancelled")
    return True


def bill(scene: Scene) -> bool:
    """A subscription's or an order's bill is sent."""
    rng, shop = scene.rng, scene.shop
    id_, today = scene.ids.next("invoices"), _today(scene)
    subscription_id = order_id = None
    if shop.subscriptions and rng.random() < 0.6:  # noqa: PLR2004 - bills are more often for subscriptions
        subscription_id, customer, cents, _ = rng.choice(shop.subscriptions)
    elif shop.completed:
        found = rng.choice(shop.completed)
        order_id, customer, cents = found.id, found.customer_id, found.total_cents
    else:
        return False
    due = today + timedelta(days=_DAYS_TO_PAY)
    scene.batch.add(
        changes.NEW_INVOICE, id_, f"T-{id_}", customer, subscription_id, order_id, "open", _money(cents), today, due,
        "{}", scene.moment, scene.moment,
    )  # fmt: skip
    remember(shop.invoices, (id_, today))
    return True


def pay(scene: Scene) -> bool:
    """An open bill is paid."""
    if not scene.shop.invoices:
        return False
    id_, _ = take(scene.rng, scene.shop.invoices)
    scene.batch.add(changes.INVOICE_PAID, id_, "paid", _today(scene), scene.moment)
    return True


SHARES: Mapping[Callable[[Scene], bool], int] = {
    visit: 300, order: 220, complete: 170, cancel: 15, refund: 20, abandon: 20, forget: 15, sign_up: 50,
    change_phone: 30, reprice: 15, subscribe: 15, change_plan: 15, unsubscribe: 8, bill: 30, pay: 30,
}  # fmt: skip


def _settle(scene: Scene, orders: list[Order], status: str) -> Order | None:
    if not orders:
        return None
    found = take(scene.rng, orders)
    scene.batch.add(changes.ORDER_STATUS, found.id, status, scene.moment)
    return found


def _agree(scene: Scene, customer: int) -> None:
    id_, today = scene.ids.next("subscriptions"), _today(scene)
    plan, period, cents = scene.rng.choice(scene.shop.plans)
    is_trial = False
    scene.batch.add(
        changes.NEW_SUBSCRIPTION, id_, customer, plan, "active", is_trial, period, _money(cents), today,
        '{"box": {"pieces": 1}}', scene.moment, scene.moment,
    )  # fmt: skip
    remember(scene.shop.subscriptions, (id_, customer, cents, today))


def _end(scene: Scene, status: str) -> int:
    """End a subscription; return whose it was."""
    id_, customer, _, started = take(scene.rng, scene.shop.subscriptions)
    end = max(_today(scene), started)
    scene.batch.add(changes.SUBSCRIPTION_END, id_, status, end, scene.moment)
    return customer


def _store(scene: Scene, product: Product) -> None:
    scene.batch.add(changes.PRODUCT, product.id, _money(product.price_cents), product.stock, scene.moment)


def _event(
    scene: Scene, customer: int | None, session: UUID, kind: str, *, product: int | None = None,
    order_id: int | None = None,
) -> None:  # fmt: skip
    id_ = scene.ids.next("events")
    scene.batch.add(changes.NEW_EVENT, id_, customer, session, kind, product, order_id, "{}", scene.moment)
    if order_id is None:
        remember(scene.shop.events, id_)


def _basket(rng: random.Random, shop: Shop) -> list[Product]:
    return rng.sample(shop.products, min(rng.randint(1, _MOST_ITEMS), len(shop.products)))


def _today(scene: Scene) -> date:
    return scene.moment.astimezone(scene.shop.zone).date()


def _part(cents: int, percent: int, step: int) -> int:
    """Return so many percent, rounded half up to whole steps."""
    return (2 * cents * percent + 100 * step) // (200 * step) * step


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
