"""Orders: who bought when (`Checkouts`), and once the items are known, for how much (`Orders`).

Most customers order soon after signing up; later orders follow the shop's rhythm, each customer's
activity and the time until they stop buying.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import Company
from saas.seeding.period import DAY, HOUR, MINUTE, Clock
from saas.seeding.shapes import Ints, chance, choose, part_of, pick
from saas.seeding.stream import Stream
from saas.seeding.tables.customers import Customers

STATUSES = ("completed", "pending", "cancelled", "refunded")
COMPLETED, PENDING, CANCELLED, REFUNDED = range(4)

CHANNELS = ("web", "app", "marketplace", "phone")
_CHANNEL_WEIGHTS = (62, 23, 10, 5)
_TRACKED_CHANNELS = 2
"""The first so many channels leave events."""

_WELCOME_SHARE_OF_CUSTOMERS, _WELCOME_SHARE_OF_ORDERS = 0.6, 0.4
_WELCOME_MINUTES, _WELCOME_SIGMA = 18, 1.1
_DRAWS = 24
"""Rounds of redrawing orders of customers who had stopped buying; then the last draw is kept."""
_PENDING_DAYS = 4
_PENDING_SHARE = 0.85
_REFUNDABLE_DAYS = 3
_COUPON_PERCENTS = (5, 10, 15, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkouts:
    """Who ordered when, in the order of time."""

    stream: Stream
    ordered_at: Ints
    customer: Ints
    """Positions in the tenant's customers."""

    @classmethod
    def draw(cls, stream: Stream, company: Company, clock: Clock, customers: Customers) -> Checkouts:
        """Let customers order, none before signing up."""
        rng, count = stream.rng, stream.count
        welcome = int(min(_WELCOME_SHARE_OF_CUSTOMERS * len(customers.activity), _WELCOME_SHARE_OF_ORDERS * count))
        customer = rng.permutation(len(customers.activity))[:welcome]
        delay = rng.lognormal(np.log(_WELCOME_MINUTES), _WELCOME_SIGMA, welcome) * MINUTE
        ordered_at = customers.signed_up_at[customer] + delay.astype(np.int64)
        in_time = ordered_at < clock.end
        later_at, later_customer = _later_orders(rng, count - int(in_time.sum()), company, clock, customers)
        ordered_at = np.concatenate([ordered_at[in_time], later_at])
        customer = np.concatenate([customer[in_time], later_customer])
        by_time = np.argsort(ordered_at, kind="stable")
        return cls(stream=stream, ordered_at=ordered_at[by_time], customer=customer[by_time])


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One tenant's orders: total = subtotal - discount + tax, subtotal = the sum of the items."""

    checkouts: Checkouts
    company: Company
    customers: Customers
    status: Ints
    subtotal: Ints
    coupon: Ints
    """Position among the coupons' percentages, `columns.NONE` without."""
    discount: Ints
    tax: Ints
    total: Ints
    updated_at: Ints
    channel: Ints
    utm: Ints
    gift: Ints
    delivery_note: Ints

    @classmethod
    def draw(cls, checkouts: Checkouts, company: Company, clock: Clock, customers: Customers, subtotal: Ints) -> Orders:
        """Price the checkouts and decide what became of them."""
        stream, trade, home = checkouts.stream, company.trade, company.home
        rng, count = stream.rng, stream.count
        coupon = np.where(
            chance(rng, count, trade.coupons), rng.integers(0, len(_COUPON_PERCENTS), count), columns.NONE
        )
        percents = np.array([*_COUPON_PERCENTS, 0])  # `NONE` picks the last one.
        discount = part_of(subtotal, percents[coupon] * 100, home.cent_step)
        tax = part_of(subtotal - discount, home.tax_basis_points, home.cent_step)
        age = clock.end - checkouts.ordered_at
        pending = chance(rng, count, _PENDING_SHARE * (1 - np.minimum(age / (_PENDING_DAYS * DAY), 1)))
        fate = rng.random(count)
        refunded = (fate < trade.refunds) & (age > _REFUNDABLE_DAYS * DAY)
        cancelled = fate > 1 - trade.cancels
        status = np.select([pending, refunded, cancelled], [PENDING, REFUNDED, CANCELLED], COMPLETED)
        # Hours until the order reached its status: shipped, sent back, called off.
        settled = np.choose(
            status,
            [
                rng.lognormal(np.log(30), 0.6, count),
                np.zeros(count),
                rng.lognormal(np.log(6), 0.8, count),
                rng.lognormal(np.log(24 * 9), 0.5, count),
            ],
        )
        latest = np.minimum(checkouts.ordered_at + (settled * HOUR).astype(np.int64), clock.end - 1)
        return cls(
            checkouts=checkouts,
            company=company,
            customers=customers,
            status=status.astype(np.int64),
            subtotal=subtotal,
            coupon=coupon,
            discount=discount,
            tax=tax,
            total=subtotal - discount + tax,
            updated_at=latest,
            channel=choose(rng, count, _CHANNEL_WEIGHTS),
            utm=rng.integers(0, len(words.ORDER_UTM), count),
            gift=rng.integers(0, len(words.ORDER_GIFTS), count),
            delivery_note=rng.integers(0, len(words.DELIVERY_NOTES), count),
        )

    @property
    def stream(self) -> Stream:
        """Where the rows come from."""
        return self.checkouts.stream

    @property
    def tracked(self) -> Ints:
        """The positions of orders made in the shop itself, which leave events."""
        return np.flatnonzero(self.channel < _TRACKED_CHANNELS)

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        pools, take, join = _pools(), columns.take, columns.join
        ordered_at, customer = self.checkouts.ordered_at[part], self.checkouts.customer[part]
        number = np.arange(part.start + 1, part.stop + 1)
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "number": join(f"{self.company.initials}-", columns.digits(number, 7)),
                "customer_id": columns.whole(self.customers.stream.ids_at(customer)),
                "status": take(pools.statuses, self.status[part]),
                "order_date": columns.instants(ordered_at),
                "subtotal": columns.money(self.subtotal[part]),
                "discount": columns.money(self.discount[part]),
                "tax": columns.money(self.tax[part]),
                "total": columns.money(self.total[part]),
                "shipping_address": join(
                    self.customers.addresses(customer),
                    take(pools.delivery_notes, self.delivery_note[part]),
                    "}",
                ),
                "metadata": join(
                    '{"channel": ',
                    take(pools.channels, self.channel[part]),
                    take(pools.coupons, self.coupon[part]).fill_null(""),
                    take(pools.utm, self.utm[part]),
                    take(pools.gifts, self.gift[part]),
                    "}",
                ),
                "created_at": columns.instants(ordered_at),
                "updated_at": columns.instants(self.updated_at[part]),
            }
        )


def _later_orders(
    rng: np.random.Generator, count: int, company: Company, clock: Clock, customers: Customers
) -> tuple[Ints, Ints]:
    """Draw orders in the shop's rhythm, redrawing those of customers who had stopped buying."""
    signed_up = customers.eligible(clock.hour_starts)
    crowd = np.where(signed_up > 0, customers.activity[signed_up - 1], 0)
    weights = clock.rhythm(company.trade) * crowd
    times, buyers = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    missing = count
    for attempt in range(_DRAWS):
        drawn_at = clock.sample(rng, missing, weights)
        buyer = pick(rng, customers.activity, customers.eligible(drawn_at))
        buying = customers.leaves_at[buyer] > drawn_at
        if attempt == _DRAWS - 1:
            buying[:] = True
        times.append(drawn_at[buying])
        buyers.append(buyer[buying])
        missing -= int(buying.sum())
        if not missing:
            break
    return np.concatenate(times), np.concatenate(buyers)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    statuses: columns.Column
    channels: columns.Column
    coupons: columns.Column
    utm: columns.Column
    gifts: columns.Column
    delivery_notes: columns.Column


@cache
def _pools() -> _Pools:
    return _Pools(
        statuses=columns.words(STATUSES),
        channels=columns.documents(CHANNELS),
        coupons=columns.members("coupon", [{"code": f"TAKE{each}", "percent": each} for each in _COUPON_PERCENTS]),
        utm=columns.members("utm", words.ORDER_UTM),
        gifts=columns.members("gift", words.ORDER_GIFTS),
        delivery_notes=columns.members("note", words.DELIVERY_NOTES),
    )
