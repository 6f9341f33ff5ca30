"""Events: visits to the shop, most of which end before the till.

A visit goes page view, search, product view, cart, checkout, purchase, each step less likely. A visit
that ends in a purchase belongs to a real order and ends at its instant. Visitors are unknown until
they have signed up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import Company
from saas.seeding.period import SECOND, Clock
from saas.seeding.shapes import Bools, Ints, chance, pick
from saas.seeding.stream import Stream
from saas.seeding.tables.customers import Customers
from saas.seeding.tables.order_items import OrderItems
from saas.seeding.tables.orders import Orders
from saas.seeding.tables.products import Products

TYPES = ("page_view", "search", "product_view", "add_to_cart", "checkout", "purchase")
PAGE_VIEW, SEARCH, PRODUCT_VIEW, ADD_TO_CART, CHECKOUT, PURCHASE = range(6)

_MORE_PAGES, _MORE_PRODUCTS, _MORE_CARTS = 0.9, 0.8, 0.2
"""Mean of further events of the kind in a visit that reaches it."""
_SEARCH_SHARE = 0.2
_KNOWN_SHARE = 0.4
_SAME_PRODUCT_SHARE = 0.55
_PAUSE_SECONDS, _PAUSE_SIGMA = 35, 1.0
_OTHER_PATHS = ("/search", "/cart", "/checkout", "/thank-you")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visits:
    """One row a visit."""

    counts: Ints
    """Events of each type: one column a type."""
    anchor: Ints
    """When the visit begins, or for a purchase, ends."""
    order: Ints
    customer: Ints
    product: Ints
    """What this visit is mostly about."""
    device: Ints
    referrer: Ints
    session: np.ndarray[tuple[int, int], np.dtype[np.uint8]]

    @property
    def buys(self) -> Bools:
        """Whether it ends in a purchase."""
        return np.not_equal(self.order, columns.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """One tenant's events, in the order of time."""

    stream: Stream
    company: Company
    customers: Customers
    products: Products
    orders: Orders
    visits: _Visits
    visit: Ints
    """The visit each event belongs to."""
    type: Ints
    at: Ints
    customer: Ints
    product: Ints
    page: Ints
    detail: Ints

    @classmethod
    def draw(
        cls,
        stream: Stream,
        company: Company,
        clock: Clock,
        *,
        customers: Customers,
        products: Products,
        orders: Orders,
        items: OrderItems,
    ) -> Events:
        """Let people visit until the table is full; the last visit may break off."""
        rng, count = stream.rng, stream.count
        visits = _visits(rng, count, company, clock, customers=customers, products=products, orders=orders, items=items)
        counts = visits.counts.ravel()
        step = np.repeat(np.arange(len(counts)), counts)[:count]
        visit, kind = np.divmod(step, len(TYPES))
        at = _instants(rng, clock, visits, visit)
        by_time = np.argsort(at, kind="stable")
        visit, kind, at = visit[by_time], kind[by_time], at[by_time]

        customer = visits.customer[visit]
        known = (customer != columns.NONE) & (customers.signed_up_at[customer] <= at)
        browsed = pick(rng, products.popularity, np.maximum(products.eligible(at), 1))
        same = chance(rng, count, _SAME_PRODUCT_SHARE) | (kind == ADD_TO_CART)
        about_product = (kind == PRODUCT_VIEW) | (kind == ADD_TO_CART)
        product = np.where(same, visits.product[visit], browsed)
        return cls(
            stream=stream,
            company=company,
            customers=customers,
            products=products,
            orders=orders,
            visits=visits,
            visit=visit,
            type=kind,
            at=at,
            customer=np.where(known, customer, columns.NONE),
            product=np.where(about_product, product, columns.NONE),
            page=rng.integers(0, len(words.PAGES), count),
            detail=rng.integers(0, 2**31, count),
        )

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        visit, kind = self.visit[part], self.type[part]
        order = np.where(kind == PURCHASE, self.visits.order[visit], columns.NONE)
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "customer_id": columns.whole(self.customers.stream.ids_at(self.customer[part])),
                "session_id": columns.uuids(self.visits.session[visit]),
                "event_type": columns.take(_pools().types, kind),
                "product_id": columns.whole(self.products.stream.ids_at(self.product[part])),
                "order_id": columns.whole(self.orders.stream.ids_at(order)),
                "properties": self._properties(part, order),
                "created_at": columns.instants(self.at[part]),
            }
        )

    def _properties(self, part: slice, order: Ints) -> columns.Column:
        pools, take = _pools(), columns.take
        visit, kind, detail = self.visit[part], self.type[part], self.detail[part]
        return columns.join(
            '{"path": ',
            self._paths(part),
            ', "device": ',
            take(pools.devices, self.visits.device[visit]),
            take(pools.referrers, np.where(kind == PAGE_VIEW, self.visits.referrer[visit], 0)),
            self._details(kind, detail, order),
            "}",
        )

    def _paths(self, part: slice) -> columns.Column:
        """Return the path of each event's page, as JSON text."""
        products = len(self.products.price)
        skus = columns.join('"/products/', self.products.skus(slice(0, products)), '"')
        fixed = columns.documents([*words.PAGES, *_OTHER_PATHS])
        kind, page, product = self.type[part], self.page[part], self.product[part]
        first_other = len(words.PAGES)
        first_product = first_other + len(_OTHER_PATHS)
        position = np.choose(
            kind,
            [page, first_other, first_product + product, first_other + 1, first_other + 2, first_other + 3],
        )
        return columns.take(columns.together(fixed, skus), position)

    def _details(self, kind: Ints, detail: Ints, order: Ints) -> columns.Column:
        """Return the members that only some types have; empty text for the others."""
        searches = columns.members(
            "search", [{"query": query, "results": 3 + len(query)} for query in self.company.trade.searches]
        )
        pieces = columns.members("quantity", [1, 1, 1, 2, 3])
        bought = np.flatnonzero(kind == PURCHASE)
        totals = columns.join(
            ', "order": {"total": "',
            columns.money(self.orders.total[order[bought]]).cast("string"),
            f'", "currency": "{self.company.home.currency}"}}',
        )
        position = np.zeros(len(kind), dtype=np.int64)
        position = np.where(kind == SEARCH, 1 + detail % len(searches), position)
        position = np.where(kind == ADD_TO_CART, 1 + len(searches) + detail % len(pieces), position)
        position[bought] = 1 + len(searches) + len(pieces) + np.arange(len(bought))
        return columns.take(columns.together(columns.words([""]), searches, pieces, totals), position)


def _visits(
    rng: np.random.Generator,
    events: int,
    company: Company,
    clock: Clock,
    *,
    customers: Customers,
    products: Products,
    orders: Orders,
    items: OrderItems,
) -> _Visits:
    """Draw as many visits as it takes to have at least ``events`` events."""
    depth, counts = _depths(rng, events, company, most_purchases=len(orders.tracked))
    visits = len(depth)
    buys = depth == PURCHASE
    order = np.full(visits, columns.NONE)
    order[buys] = rng.permutation(orders.tracked)[: int(buys.sum())]

    began_at = clock.sample(rng, visits, clock.rhythm(company.trade) * (0.4 + clock.elapsed))
    regular = pick(rng, customers.activity, np.maximum(customers.eligible(began_at), 1))
    customer = np.where(chance(rng, visits, _KNOWN_SHARE), regular, columns.NONE)
    anchor = np.where(buys, orders.checkouts.ordered_at[order], began_at)
    browsed = pick(rng, products.popularity, np.maximum(products.eligible(anchor), 1))
    return _Visits(
        counts=counts,
        anchor=anchor,
        order=order,
        customer=np.where(buys, orders.checkouts.customer[order], customer),
        product=np.where(buys, items.product[items.first_of_order[order]], browsed),
        device=rng.integers(0, len(words.DEVICES), visits),
        referrer=rng.integers(0, len(words.REFERRERS), visits),
        session=rng.integers(0, 256, (visits, 16), dtype=np.uint8),
    )


def _depths(rng: np.random.Generator, events: int, company: Company, *, most_purchases: int) -> tuple[Ints, Ints]:
    """Return how far each visit goes, as an event type, and how many events of each type it has."""
    visits = events  # Each has at least one event, so these are always enough.
    funnel = (PAGE_VIEW, PRODUCT_VIEW, ADD_TO_CART, CHECKOUT, PURCHASE)
    reached = np.searchsorted(-np.cumprod(company.trade.funnel), -rng.random(visits), side="left")
    depth = np.array(funnel)[reached]
    too_many = np.flatnonzero(depth == PURCHASE)[most_purchases:]
    depth[too_many] = CHECKOUT
    counts = np.stack(
        [
            1 + rng.poisson(_MORE_PAGES, visits),
            chance(rng, visits, _SEARCH_SHARE),
            (depth >= PRODUCT_VIEW) * (1 + rng.poisson(_MORE_PRODUCTS, visits)),
            (depth >= ADD_TO_CART) * (1 + rng.poisson(_MORE_CARTS, visits)),
            depth >= CHECKOUT,
            depth >= PURCHASE,
        ],
        axis=1,
    ).astype(np.int64)
    needed = int(np.searchsorted(np.cumsum(counts.sum(axis=1)), events)) + 1
    return depth[:needed], counts[:needed]


def _instants(rng: np.random.Generator, clock: Clock, visits: _Visits, visit: Ints) -> Ints:
    """Return when each event happened; a visit's events stand together and in order."""
    pauses = rng.lognormal(np.log(_PAUSE_SECONDS), _PAUSE_SIGMA, len(visit)) * SECOND
    first = np.searchsorted(visit, np.arange(len(visits.anchor)), side="left")
    last = np.searchsorted(visit, np.arange(len(visits.anchor)), side="right") - 1
    elapsed = np.cumsum(pauses.astype(np.int64))
    length = elapsed[last] - elapsed[first]
    overshoot = np.maximum(visits.anchor + length - clock.end + 1, 0)
    begins = visits.anchor - np.where(visits.buys, length, overshoot)
    instants: Ints = begins[visit] + elapsed - elapsed[first[visit]]
    return np.maximum(instants, clock.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    types: columns.Column
    devices: columns.Column
    referrers: columns.Column


@cache
def _pools() -> _Pools:
    return _Pools(
        types=columns.words(TYPES),
        devices=columns.documents(words.DEVICES),
        referrers=columns.members("referrer", words.REFERRERS),
    )
