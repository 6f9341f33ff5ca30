"""Every model with ``tenant_id`` in its incremental key keeps that promise: some tenants computed alone are equal.

This is what `etl.gold.refresh` relies on. It is tested on shops at random, in memory: the
rows of untouched tenants as they were, beside those of the touched ones computed in a lake
that holds nobody else, have to be what computing everything gives.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.gold.as_of import AsOfUse, as_of_use, representative
from etl.gold.compile import CompiledModel, check_sql, compile_models, load_models
from etl.gold.compute import compute
from etl.gold.model import TENANT_COLUMN
from tests.random_shops import START, Rows, random_shop, together
from tests.unit.etl.gold.silver import COLUMNS, open_silver

COMPILED = compile_models(load_models(), silver=COLUMNS)
BY_TENANT = [each for each in COMPILED if TENANT_COLUMN in each.model.incremental_key and not each.model.transform]
SHOPS = (1, 2, 3)


def gold(shops: dict[int, Rows], as_of: datetime) -> duckdb.DuckDBPyConnection:
    connection = open_silver(together(shops))
    for each in BY_TENANT:
        compute(connection, each, as_of=representative(as_of, as_of_use(each)))
    return connection


def rows(connection: duckdb.DuckDBPyConnection, compiled: CompiledModel, condition: str) -> list[tuple]:
    """Return the model's rows; amounts that are not exact as far as any order of adding up gives them."""
    columns = ", ".join(
        f"ROUND({column.name}, 9)" if column.type == "double" else column.name for column in compiled.model.columns
    )
    return connection.execute(f"SELECT {columns} FROM {compiled.model.table} WHERE {condition} ORDER BY ALL").fetchall()


def day_in(shop: Rows, moment: datetime) -> object:
    return moment.astimezone(ZoneInfo(str(shop["tenants"][0]["timezone"]))).date()


def test_the_models_that_promise_it_are_most() -> None:
    assert len(BY_TENANT) >= len(COMPILED) / 2


@settings(max_examples=6, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_touched_tenants_beside_the_others_are_everything(seed: int) -> None:
    rng = random.Random(seed)
    before = {tenant: random_shop(rng, tenant) for tenant in SHOPS}
    as_of = START + timedelta(seconds=rng.randrange(150 * 86_400))
    later = as_of + timedelta(seconds=rng.choice([1, 3_000, 86_400]))
    after = dict(before)
    for tenant in rng.sample(SHOPS, rng.randint(0, 2)):
        if rng.random() < 0.25:
            del after[tenant]
        else:
            after[tenant] = random_shop(rng, tenant)
    changed = {tenant for tenant in SHOPS if after.get(tenant) is not before[tenant]}
    next_day = {tenant for tenant, shop in after.items() if day_in(shop, as_of) != day_in(shop, later)}
    touched = changed | next_day
    old, new = gold(before, as_of), gold(after, later)
    alone = gold({tenant: shop for tenant, shop in after.items() if tenant in touched}, later)
    listed = ", ".join(map(str, touched)) or "-1"
    for each in BY_TENANT:
        spliced = rows(old, each, f"tenant_id NOT IN ({listed})") + rows(alone, each, "true")
        key = repr
        assert sorted(spliced, key=key) == sorted(rows(new, each, "true"), key=key), each.model.name
        for check in each.checks:
            moment = representative(later, as_of_use(each))
            assert alone.execute(check_sql(check, "duckdb", as_of=moment)).fetchall() == [], check.check.name


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Asia/Kathmandu", "2026-07-01T18:14:59+00:00", "2026-07-01T18:15:00+00:00"),
        ("Pacific/Chatham", "2026-07-01T11:14:59.999999+00:00", "2026-07-01T11:15:00+00:00"),
        ("UTC", "2026-06-30T23:59:59+00:00", "2026-07-01T00:00:00+00:00"),
    ],
)
def test_moments_with_one_representative_share_every_calendar_day(zone: str, before: str, after: str) -> None:
    first, second = map(datetime.fromisoformat, (before, after))
    assert first.astimezone(ZoneInfo(zone)).date() != second.astimezone(ZoneInfo(zone)).date()
    assert representative(first, AsOfUse.DAYS) != representative(second, AsOfUse.DAYS)
    shown = representative(first, AsOfUse.DAYS).astimezone(ZoneInfo(zone)).date()
    assert shown == first.astimezone(ZoneInfo(zone)).date()


def test_how_models_depend_on_the_time() -> None:
    uses = {each.model.name: as_of_use(each) for each in COMPILED}
    assert uses["daily_revenue"] is AsOfUse.NONE
    assert uses["tenant_summary"] is AsOfUse.DAYS
    assert AsOfUse.MOMENT not in uses.values(), "it would be computed anew every second"
