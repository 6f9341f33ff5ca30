"""What a month costs: its runs, what stands between them, and what dashboards ask; split one way or another.

However it is split, the lines sum to the same total exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from django.db.models import Min, QuerySet, Sum

from lakehouse_admin.costs.counting import HOUR_SECONDS, TEBIBYTE
from lakehouse_admin.costs.estimate import cost_label
from lakehouse_admin.costs.money import QUANTUM, split
from lakehouse_admin.costs.prices import PriceBook
from lakehouse_admin.costs.record import month_of
from lakehouse_admin.models import CostEntry, CostShare, PipelineRun, QueryUse

_INSTANCE, _SCANNED = "dms.instance_hour", "athena.scanned_tb"


class By(StrEnum):
    """What a month may be split by."""

    SERVICE = "service"
    RUN = "run"
    TABLE = "table"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One part of a month."""

    key: str
    """The service, run, table or tenant; empty for what belongs to none."""
    label: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCosts:
    """A month, split one way."""

    month: date
    by: By
    prices: PriceBook
    runs: int
    """How many of its runs have a cost."""
    lines: tuple[CostLine, ...]
    """The dearest first."""

    @property
    def total(self) -> Decimal:
        """All of it."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def label(self) -> str:
        """Name the amounts."""
        return cost_label(is_charged=self.prices.is_charged)


def month_costs(month: date, *, by: By, prices: PriceBook, now: datetime) -> MonthCosts:
    """Add up a month, as far as it has gone.

    Args:
        month: Any day of it.
        by: How it is split.
        prices: What runs cost was recorded with them; these are for what stands between, and for questions.
        now: The time (UTC).
    """
    month = month_of(month)
    entries = CostEntry.objects.filter(month=month, is_charged=prices.is_charged)
    standing = _standing(month, prices, now)
    asked = _asked(month, prices)
    match by:
        case By.SERVICE:
            parts = _sums(entries, "service")
            _add(parts, prices.prices[_INSTANCE].service, standing)
            _add(parts, prices.prices[_SCANNED].service, sum(asked.values(), Decimal(0)))
        case By.RUN:
            parts = _sums(entries, "run")
            _add(parts, "", standing + sum(asked.values(), Decimal(0)))
        case By.TABLE:
            parts = _shared(month, CostShare.Kind.TABLE, prices, standing)
            _add(parts, "", sum(asked.values(), Decimal(0)))
        case _:
            parts = _shared(month, CostShare.Kind.TENANT, prices, standing)
            for tenant, amount in asked.items():
                _add(parts, tenant, amount)
    lines = [CostLine(key=key, label=_label(by, key), amount=amount) for key, amount in parts.items() if amount]
    lines.sort(key=lambda line: (-line.amount, line.key))
    runs = entries.values("run").distinct().count()
    return MonthCosts(month=month, by=by, prices=prices, runs=runs, lines=tuple(lines))


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return month_of(month_of(month) + timedelta(days=31))


def _standing(month: date, prices: PriceBook, now: datetime) -> Decimal:
    """Price the hours in which the DMS instance stood ready, and no run loaded by it."""
    first_at: datetime | None = PipelineRun.objects.aggregate(first=Min("requested_at"))["first"]
    if first_at is None:
        return Decimal(0)
    begin, end = max(first_at, _midnight(month)), min(now, _midnight(next_month(month)))
    hours = Decimal(str(max(0.0, (end - begin).total_seconds()))) / HOUR_SECONDS
    used = CostEntry.objects.filter(month=month, is_charged=prices.is_charged, item=_INSTANCE)
    loading: Decimal = used.aggregate(hours=Sum("quantity"))["hours"] or Decimal(0)
    return prices.prices[_INSTANCE].of(max(Decimal(0), hours - loading))


def _asked(month: date, prices: PriceBook) -> dict[str, Decimal]:
    """Price what each tenant's dashboards asked, by tenant's number."""
    of_month = QueryUse.objects.filter(day__gte=month, day__lt=next_month(month), is_charged=prices.is_charged)
    found = of_month.values_list("tenant_id").annotate(Sum("charged_bytes")).order_by("tenant_id")
    return {str(tenant): prices.prices[_SCANNED].of(charged / TEBIBYTE) for tenant, charged in found}


def _shared(month: date, kind: CostShare.Kind, prices: PriceBook, standing: Decimal) -> dict[str, Decimal]:
    """Return what runs cost by table or tenant, and split what stands between them in the same proportion."""
    shares = CostShare.objects.filter(month=month, kind=kind, is_charged=prices.is_charged)
    parts = _sums(shares, "key")
    weights = {key: int(amount / QUANTUM) for key, amount in parts.items()} or {"": 1}
    for key, amount in split(standing, weights).items():
        _add(parts, key, amount)
    return parts


def _sums(rows: QuerySet[CostEntry] | QuerySet[CostShare], name: str) -> dict[str, Decimal]:
    return {str(key): amount for key, amount in rows.order_by(name).values_list(name).annotate(Sum("amount"))}


def _add(parts: dict[str, Decimal], key: str, amount: Decimal) -> None:
    parts[key] = parts.get(key, Decimal(0)) + amount


_NOBODYS: Mapping[By, str] = {
    By.SERVICE: "Other",
    By.RUN: "Between runs, and questions",
    By.TABLE: "Not by table",
    By.TENANT: "No tenant known",
}


def _label(by: By, key: str) -> str:
    if not key:
        return _NOBODYS[by]
    return f"{by.value.title()} {key}" if by in {By.RUN, By.TENANT} else key


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
