"""Subscriptions: trials, conversions, plan changes, churn and returns, each term its own row.

A trial that converts and a change of plan end one row and start the next at the same instant, so on
the same day. The last term of a story is open, or ends because the customer left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import Company
from saas.seeding.period import DAY, Clock
from saas.seeding.shapes import Bools, Floats, Ints, chance, charm, choose, half_up
from saas.seeding.stream import Stream
from saas.seeding.tables.customers import Customers

STATUSES = ("trialing", "active", "cancelled", "expired")
TRIALING, ACTIVE, CANCELLED, EXPIRED = range(4)

_TERMS = ("trial", "first plan", "second plan", "third plan", "return")
_START_DAYS = 9
"""Mean days between signing up and subscribing."""
_CONVERTS, _GIVES_UP_EARLY = 0.6, 0.3
_YEARLY_SHARE, _YEARLY_MONTHS_PAID = 0.2, 10
_LIFE_SHAPE, _LIFE_DAYS, _YEARLY_LIFE_FACTOR, _SHORTEST_LIFE_DAYS = 0.85, 150, 3, 20
_CHANGE_DAYS, _SOONEST_CHANGE_DAYS = 110, 12
_UPGRADE_SHARE = 0.65
_RETURNS, _SHORTEST_PAUSE_DAYS, _PAUSE_DAYS = 0.3, 15, 25
_PLAN_WEIGHTS = (0.5, 0.35, 0.15)
_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """One tenant's subscriptions, in the order of their start."""

    stream: Stream
    company: Company
    clock: Clock
    customers: Customers
    customer: Ints
    plan: Ints
    status: Ints
    is_trial: Bools
    is_yearly: Bools
    monthly_amount: Ints
    started_at: Ints
    ended_at: Ints
    """`columns.NONE` while it runs."""
    reason: Ints
    """Position in the pool of reasons to cancel."""
    seats: Ints

    @classmethod
    def draw(cls, stream: Stream, company: Company, clock: Clock, customers: Customers) -> Subscriptions:
        """Tell the stories of enough customers to fill the table, and cut the last one where it is full."""
        rng, count = stream.rng, stream.count
        # Every story has at least one term, so as many customers as rows are always enough.
        customer = rng.permutation(len(customers.signed_up_at))[:count]
        story = _Story.draw(rng, company, clock, customers.signed_up_at[customer])
        told = np.flatnonzero(story.happens)[:count]  # Story by story, term by term.
        who, term = np.divmod(told, len(_TERMS))
        started_at, end = story.starts.ravel()[told], story.ends.ravel()[told]
        by_start = np.argsort(started_at, kind="stable")
        who, term, started_at, end = who[by_start], term[by_start], started_at[by_start], end[by_start]
        ended = end < clock.end
        is_trial = term == 0
        # A customer who leaves cancels; a term that runs out or is replaced expires.
        after_return = (term == len(_TERMS) - 1).astype(np.int64)
        left = np.where(is_trial, story.gives_up[who], end >= story.leaves_at[who, after_return])
        running = np.where(is_trial, TRIALING, ACTIVE)
        is_yearly = story.is_yearly[who]
        plan = story.plans.ravel()[told][by_start]
        return cls(
            stream=stream,
            company=company,
            clock=clock,
            customers=customers,
            customer=customer[who],
            plan=plan,
            status=np.where(ended, np.where(left, CANCELLED, EXPIRED), running),
            is_trial=is_trial,
            is_yearly=is_yearly,
            monthly_amount=_monthly_amounts(company)[plan, is_yearly.astype(np.int64)],
            started_at=started_at,
            ended_at=np.where(ended, end, columns.NONE),
            reason=rng.integers(0, len(words.CANCEL_REASONS), count),
            seats=rng.geometric(0.6, count),
        )

    @property
    def end_dates(self) -> Ints:
        """The local day on which each one ended, `columns.NONE` while it runs."""
        return np.where(self.ended_at == columns.NONE, columns.NONE, self.clock.local_days(self.ended_at))

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        take, status, started_at = columns.take, self.status[part], self.started_at[part]
        reason = np.where(status == CANCELLED, self.reason[part], columns.NONE)
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "customer_id": columns.whole(self.customers.stream.ids_at(self.customer[part])),
                "plan": take(columns.words([name for name, _ in self.company.trade.plans]), self.plan[part]),
                "status": take(columns.words(STATUSES), status),
                "is_trial": columns.flags(self.is_trial[part]),
                "billing_period": take(columns.words(("monthly", "yearly")), self.is_yearly[part].astype(np.int64)),
                "monthly_amount": columns.money(self.monthly_amount[part]),
                "start_date": columns.days(self.clock.local_days(started_at)),
                "end_date": columns.days(self.end_dates[part]),
                "metadata": columns.join(
                    '{"box": {"pieces": ',
                    columns.digits(self.seats[part]),
                    "}",
                    take(_reasons(), reason).fill_null(""),
                    "}",
                ),
                "created_at": columns.instants(started_at),
                "updated_at": columns.instants(np.maximum(started_at, self.ended_at[part])),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Story:
    """What happens between customers and the shop's plans: one row a customer, one column a term."""

    starts: Ints
    ends: Ints
    plans: Ints
    happens: Bools
    leaves_at: Ints
    """When the customer leaves, and leaves again after a return: two columns."""
    gives_up: Bools
    """Whether a trial is called off before it runs out."""
    is_yearly: Bools

    @classmethod
    def draw(cls, rng: np.random.Generator, company: Company, clock: Clock, signed_up_at: Ints) -> _Story:
        """Draw all terms of every customer, then keep those that begin within the period."""
        trade, count = company.trade, len(signed_up_at)
        starts_at = signed_up_at + _days(rng.exponential(_START_DAYS, count))
        too_late = signed_up_at + (rng.random(count) * (clock.end - signed_up_at)).astype(np.int64)
        starts_at = np.where(starts_at < clock.end, starts_at, too_late)
        has_trial, converts = chance(rng, count, trade.trials), chance(rng, count, _CONVERTS)
        gives_up = ~converts & chance(rng, count, _GIVES_UP_EARLY)
        trial_days = np.where(gives_up, rng.uniform(2, trade.trial_days - 1, count), trade.trial_days)
        is_yearly = chance(rng, count, _YEARLY_SHARE)

        pays_from = np.where(has_trial, starts_at + _days(trial_days), starts_at)
        leaves_at = pays_from + _life(rng, is_yearly)
        change = pays_from + _days(_SOONEST_CHANGE_DAYS + rng.exponential(_CHANGE_DAYS, count))
        next_change = change + _days(_SOONEST_CHANGE_DAYS + rng.exponential(_CHANGE_DAYS, count))
        returns_at = leaves_at + _days(_SHORTEST_PAUSE_DAYS + rng.exponential(_PAUSE_DAYS, count))
        leaves_again_at = returns_at + _life(rng, is_yearly)

        # A change on the day of leaving is no change.
        changes, changes_again = change < leaves_at - DAY, next_change < leaves_at - DAY
        starts = np.stack([starts_at, pays_from, change, next_change, returns_at], axis=1)
        ends = np.stack(
            [
                pays_from,
                np.where(changes, change, leaves_at),
                np.where(changes_again, next_change, leaves_at),
                leaves_at,
                leaves_again_at,
            ],
            axis=1,
        )
        pays = ~has_trial | converts
        happens = np.stack(
            [has_trial, pays, pays & changes, pays & changes_again, pays & chance(rng, count, _RETURNS)], axis=1
        )
        first_plan = choose(rng, count, _PLAN_WEIGHTS)
        second_plan = _another_plan(rng, first_plan)
        plans = np.stack([first_plan, first_plan, second_plan, _another_plan(rng, second_plan), first_plan], axis=1)
        return cls(
            starts=starts,
            ends=ends,
            plans=plans,
            happens=happens & (starts < clock.end),
            leaves_at=np.stack([leaves_at, leaves_again_at], axis=1),
            gives_up=gives_up,
            is_yearly=is_yearly,
        )


def _days(days: Floats) -> Ints:
    return (days * DAY).astype(np.int64)


def _life(rng: np.random.Generator, is_yearly: Bools) -> Ints:
    """Return how long customers pay before they leave; those billed yearly stay longer."""
    days = _SHORTEST_LIFE_DAYS + rng.weibull(_LIFE_SHAPE, len(is_yearly)) * _LIFE_DAYS
    return _days(np.where(is_yearly, _YEARLY_LIFE_FACTOR * days, days))


def _another_plan(rng: np.random.Generator, plan: Ints) -> Ints:
    """Return the next bigger or smaller plan, never the same."""
    biggest = len(_PLAN_WEIGHTS) - 1
    up = chance(rng, len(plan), _UPGRADE_SHARE)
    up = (up | (plan == 0)) & (plan != biggest)
    return np.where(up, plan + 1, plan - 1)


def _monthly_amounts(company: Company) -> Ints:
    """Return the cents a month of each plan, billed monthly and yearly: two columns."""
    home = company.home
    listed = np.array([cents for _, cents in company.trade.plans]) * home.price_level
    monthly = charm(listed, step=home.price_step, below=np.full(len(listed), home.price_below[0]))
    yearly = half_up(monthly * _YEARLY_MONTHS_PAID, _MONTHS * home.cent_step) * home.cent_step
    return np.stack([monthly, yearly], axis=1)


@cache
def _reasons() -> columns.Column:
    return columns.members("cancel_reason", words.CANCEL_REASONS)
