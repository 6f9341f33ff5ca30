"""Invoices: every paid term of a subscription month by month, and orders until the count is reached.

Most are paid within their terms, some late, a few never: an open invoice past its due date is overdue.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import Company
from saas.seeding.period import DAY, MINUTE, MONTHS, Clock
from saas.seeding.shapes import Bools, Ints, chance
from saas.seeding.stream import Stream
from saas.seeding.tables.orders import CANCELLED as ORDER_CANCELLED
from saas.seeding.tables.orders import PENDING as ORDER_PENDING
from saas.seeding.tables.orders import REFUNDED as ORDER_REFUNDED
from saas.seeding.tables.orders import Orders
from saas.seeding.tables.subscriptions import Subscriptions

STATUSES = ("draft", "open", "paid", "cancelled")
DRAFT, OPEN, PAID, CANCELLED = range(4)

_MOST_BILLS = MONTHS + 2
_YEAR_MONTHS = 12
_DRAFT_DAYS, _DRAFT_SHARE = 3, 0.4
_CANCELLED_SHARE, _NEVER_PAID_SHARE = 0.015, 0.03
_CARD_SHARE = 0.8
"""Of subscription invoices, charged within minutes."""
_PAY_TERMS, _PAY_SIGMA = 0.7, 0.6
"""Median time to pay as a part of the terms, and its spread."""
_MOST_REMINDERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bills:
    """What is billed, before anybody pays."""

    created_at: Ints
    customer: Ints
    subscription: Ints
    order: Ints
    amount: Ints
    cancelled: Bools
    postponed: Bools
    """Whether it cannot be paid yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices:
    """One tenant's invoices, in the order of issue."""

    stream: Stream
    company: Company
    orders: Orders
    subscriptions: Subscriptions
    bills: _Bills
    status: Ints
    issue_date: Ints
    due_date: Ints
    paid_date: Ints
    updated_at: Ints
    method: Ints
    memo: Ints
    reminders: Ints

    @classmethod
    def draw(
        cls, stream: Stream, company: Company, clock: Clock, orders: Orders, subscriptions: Subscriptions
    ) -> Invoices:
        """Bill, then let customers pay, or not."""
        rng, count = stream.rng, stream.count
        bills = _bills(rng, count, clock, orders, subscriptions)
        terms = company.trade.invoice_days
        by_card = (bills.subscription != columns.NONE) & chance(rng, count, _CARD_SHARE)
        days_to_pay = rng.lognormal(np.log(_PAY_TERMS * terms), _PAY_SIGMA, count)
        minutes_to_pay = rng.integers(1, 90, count)
        paid_at = bills.created_at + np.where(by_card, minutes_to_pay * MINUTE, (days_to_pay * DAY).astype(np.int64))
        never = chance(rng, count, _NEVER_PAID_SHARE) | bills.postponed
        recent = bills.created_at > clock.end - _DRAFT_DAYS * DAY
        draft = recent & chance(rng, count, _DRAFT_SHARE)
        cancelled = bills.cancelled | chance(rng, count, _CANCELLED_SHARE)
        paid = (paid_at < clock.end) & ~never
        status = np.select([cancelled, draft, paid], [CANCELLED, DRAFT, PAID], OPEN)
        issue_date = clock.local_days(bills.created_at)
        due_date = issue_date + terms
        today = int(clock.local_days(np.array([clock.end - 1]))[0])
        overdue_weeks = np.maximum(today - due_date, 0) // 7
        return cls(
            stream=stream,
            company=company,
            orders=orders,
            subscriptions=subscriptions,
            bills=bills,
            status=status.astype(np.int64),
            issue_date=issue_date,
            due_date=due_date,
            paid_date=np.where(status == PAID, clock.local_days(paid_at), columns.NONE),
            updated_at=np.where(status == PAID, paid_at, bills.created_at),
            method=rng.integers(0, len(words.PAYMENT_METHODS), count),
            memo=rng.integers(0, len(words.INVOICE_MEMOS), count),
            reminders=np.where(status == OPEN, np.minimum(overdue_weeks, _MOST_REMINDERS), 0),
        )

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        take, status = columns.take, self.status[part]
        subscription, order = self.bills.subscription[part], self.bills.order[part]
        number = np.arange(part.start + 1, part.stop + 1)
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "number": columns.join("INV-", columns.digits(number, 7)),
                "customer_id": columns.whole(self.subscriptions.customers.stream.ids_at(self.bills.customer[part])),
                "subscription_id": columns.whole(self.subscriptions.stream.ids_at(subscription)),
                "order_id": columns.whole(self.orders.stream.ids_at(order)),
                "status": take(columns.words(STATUSES), status),
                "amount": columns.money(self.bills.amount[part]),
                "issue_date": columns.days(self.issue_date[part]),
                "due_date": columns.days(self.due_date[part]),
                "paid_date": columns.days(self.paid_date[part]),
                "metadata": columns.join(
                    f'{{"terms": {{"days": {self.company.trade.invoice_days}, "method": ',
                    take(_methods(), self.method[part]),
                    '}, "reminders": ',
                    columns.digits(self.reminders[part]),
                    take(_memos(), self.memo[part]),
                    "}",
                ),
                "created_at": columns.instants(self.bills.created_at[part]),
                "updated_at": columns.instants(self.updated_at[part]),
            }
        )


def _bills(rng: np.random.Generator, count: int, clock: Clock, orders: Orders, subscriptions: Subscriptions) -> _Bills:
    """Return exactly ``count`` bills in the order of time: subscriptions first of all, then orders."""
    of_subscriptions = _subscription_bills(clock, subscriptions)
    if len(of_subscriptions.created_at) > count:
        of_subscriptions = _at(of_subscriptions, rng.permutation(len(of_subscriptions.created_at))[:count])
    of_orders = _order_bills(rng, count - len(of_subscriptions.created_at), clock, orders)
    bills = _Bills(
        **{
            name: np.concatenate([getattr(of_subscriptions, name), getattr(of_orders, name)])
            for name in _Bills.__dataclass_fields__
        }
    )
    return _at(bills, np.argsort(bills.created_at, kind="stable"))


def _subscription_bills(clock: Clock, subscriptions: Subscriptions) -> _Bills:
    """Bill each paid term at its start, then monthly on that day of the month; yearly terms once."""
    started_at = subscriptions.started_at
    start_date = clock.local_days(started_at)
    first_month = start_date.astype("datetime64[D]").astype("datetime64[M]")
    day_of_month = start_date - first_month.astype("datetime64[D]").astype(np.int64)
    months = first_month[:, None] + np.arange(_MOST_BILLS)
    month_starts = months.astype("datetime64[D]").astype(np.int64)
    last_days = (months + 1).astype("datetime64[D]").astype(np.int64) - 1
    issue_date = np.minimum(month_starts + day_of_month[:, None], last_days)
    created_at = started_at[:, None] + (issue_date - start_date[:, None]) * DAY
    ended = np.where(subscriptions.ended_at == columns.NONE, clock.end, subscriptions.ended_at)
    is_billed = created_at < ended[:, None]
    is_billed[:, 1:] &= ~subscriptions.is_yearly[:, None]
    is_billed &= ~subscriptions.is_trial[:, None]
    subscription, month = np.nonzero(is_billed)
    months_billed = np.where(subscriptions.is_yearly, _YEAR_MONTHS, 1)
    billed = len(subscription)
    return _Bills(
        created_at=created_at[subscription, month],
        customer=subscriptions.customer[subscription],
        subscription=subscription,
        order=np.full(billed, columns.NONE),
        amount=(subscriptions.monthly_amount * months_billed)[subscription],
        cancelled=np.zeros(billed, dtype=np.bool_),
        postponed=np.zeros(billed, dtype=np.bool_),
    )


def _order_bills(rng: np.random.Generator, count: int, clock: Clock, orders: Orders) -> _Bills:
    """Bill ``count`` orders, cancelled ones only if there are not enough others."""
    preference = rng.random(len(orders.status)) + (orders.status == ORDER_CANCELLED)
    order = np.sort(np.argsort(preference, kind="stable")[:count])
    status = orders.status[order]
    return _Bills(
        created_at=np.minimum(orders.checkouts.ordered_at[order] + 5 * MINUTE, clock.end - 1),
        customer=orders.checkouts.customer[order],
        subscription=np.full(count, columns.NONE),
        order=order,
        amount=orders.total[order],
        cancelled=(status == ORDER_REFUNDED) | (status == ORDER_CANCELLED),
        postponed=status == ORDER_PENDING,
    )


def _at(bills: _Bills, positions: Ints) -> _Bills:
    return _Bills(**{name: getattr(bills, name)[positions] for name in _Bills.__dataclass_fields__})


@cache
def _methods() -> columns.Column:
    return columns.documents(words.PAYMENT_METHODS)


@cache
def _memos() -> columns.Column:
    return columns.members("memo", words.INVOICE_MEMOS)
