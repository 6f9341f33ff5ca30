"""Record what a run costs: by stage and item, and how it falls on tables and tenants.

Done whenever a run comes to rest, in the transaction that ends it, and from the rows of
its attempts alone, so that it may be repeated: a retry's cost takes the place of the one
before and includes it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import structlog
from django.db import transaction

from lakehouse_admin.costs.counting import Moved, Spent, stage_use
from lakehouse_admin.costs.money import split
from lakehouse_admin.costs.prices import PriceBook, current_prices
from lakehouse_admin.models import CostEntry, CostShare, PipelineRun, StageRun, TableResult
from lakehouse_admin.states import Stage

_log = structlog.get_logger("lakeside.costs")


def month_of(day: date) -> date:
    """Return the first day of its month."""
    return date(day.year, day.month, 1)


def record_costs(run: PipelineRun, *, now: datetime) -> None:
    """Write down what the run costs so far, in place of what was written before.

    The caller holds the run, in the transaction that ends it. A cost that cannot be worked
    out is logged and keeps nobody from publishing.
    """
    try:
        with transaction.atomic():
            _record(run, current_prices(), now)
    except Exception as error:  # noqa: BLE001 - whatever it is, what readers see must not wait for it
        _log.exception("cost_not_recorded", run_id=run.pk, error=str(error))


def table_weights(results: Sequence[TableResult]) -> dict[str, int]:
    """Return what a run's cost is split by between its tables: their bytes in bronze."""
    return {result.table: result.bronze_bytes or 0 for result in results} or {"": 1}


def tenant_shares(
    by_table: Mapping[str, Decimal], rows: Mapping[str, Mapping[str, int]], otherwise: Mapping[str, int]
) -> dict[str, Decimal]:
    """Split each table's part between tenants, by their rows in it.

    Args:
        by_table: The parts.
        rows: By table, rows by tenant; nothing for a table that is not kept by tenant.
        otherwise: The weights for such a table, where no table of this run tells any.
    """
    together: Counter[str] = Counter()
    for counts in rows.values():
        together.update(counts)
    common = dict(together) or dict(otherwise) or {"": 1}
    shares: defaultdict[str, Decimal] = defaultdict(Decimal)
    for table, part in by_table.items():
        for tenant, amount in split(part, rows.get(table) or common).items():
            shares[tenant] += amount
    return dict(shares)


def moved_by(results: Sequence[TableResult], models: int) -> Moved:
    """Add up what a run works on."""
    return Moved(
        tables=len(results),
        bronze_files=sum(result.bronze_files or 0 for result in results),
        bronze_bytes=sum(result.bronze_bytes or 0 for result in results),
        silver_bytes=sum(result.silver_bytes or 0 for result in results),
        partitions=sum(max(1, len(result.tenant_rows)) for result in results),
        models=models,
    )


def _record(run: PipelineRun, prices: PriceBook, now: datetime) -> None:
    month = month_of(run.requested_at.date())
    results = list(TableResult.objects.filter(run=run))
    entries = _entries(run, results, prices, month, now)
    CostEntry.objects.filter(run=run).delete()
    CostShare.objects.filter(run=run).delete()
    CostEntry.objects.bulk_create(entries)
    by_table = split(sum((entry.amount for entry in entries), Decimal(0)), table_weights(results))
    rows = {result.table: result.tenant_rows for result in results}
    by_tenant = tenant_shares(by_table, rows, _earlier_tenants(run))
    CostShare.objects.bulk_create(
        CostShare(run=run, month=month, kind=kind, key=key, amount=amount, is_charged=prices.is_charged)
        for kind, parts in ((CostShare.Kind.TABLE, by_table), (CostShare.Kind.TENANT, by_tenant))
        for key, amount in parts.items()
    )


def _entries(
    run: PipelineRun, results: Sequence[TableResult], prices: PriceBook, month: date, now: datetime
) -> list[CostEntry]:
    attempts = list(StageRun.objects.filter(run=run, started_at__isnull=False))
    gold = [attempt for attempt in attempts if attempt.stage == Stage.GOLD]
    moved = moved_by(results, models=len(gold[-1].result.get("models", ())) if gold else 0)
    used: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for attempt in attempts:
        assert attempt.started_at is not None
        seconds = ((attempt.finished_at or now) - attempt.started_at).total_seconds()
        spent = Spent(seconds=max(0.0, seconds), metered=attempt.usage)
        for item, quantity in stage_use(Stage(attempt.stage), spent, moved).items():
            used[attempt.stage, item] += quantity
    return [
        CostEntry(
            run=run,
            month=month,
            stage=stage,
            item=item,
            service=prices.prices[item].service,
            unit=prices.prices[item].unit,
            quantity=quantity,
            unit_price=prices.prices[item].amount,
            price_date=prices.prices[item].date,
            amount=prices.prices[item].of(quantity),
            currency=prices.currency,
            is_charged=prices.is_charged,
        )
        for (stage, item), quantity in used.items()
        if quantity
    ]


def _earlier_tenants(run: PipelineRun) -> dict[str, int]:
    """Return the rows by tenant that the last run before this one found, all its tables together."""
    earlier = TableResult.objects.filter(run__lt=run.pk).exclude(tenant_rows={}).order_by("-run").first()
    if earlier is None:
        return {}
    together: Counter[str] = Counter()
    for counts in TableResult.objects.filter(run=earlier.run_id).values_list("tenant_rows", flat=True):
        together.update(counts)
    return dict(together)
