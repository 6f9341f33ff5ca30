"""The gate: whose rows are asked for, and under which name answers are remembered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.test import override_settings

from dashboards.metrics.tenant_query import TenantQuery, digest
from etl.contracts.publication import Publication, TablePin
from etl.ports.query_engine import QueryResult

NOW = datetime(2026, 7, 1, tzinfo=UTC)
PIN = TablePin(table="gold.daily_revenue", metadata_location="m", snapshot_id=1, rows=1)
PUBLICATION = Publication(number=1, published_at=NOW, as_of=NOW, source_lsn=1, pins=(PIN,))
SQL = "SELECT day FROM gold.daily_revenue WHERE day > ?"


@dataclass
class CountingEngine:
    """Answers with the tenant and how often it was asked."""

    asked: int = 0

    def query(self, _sql: str, *, tenant_id: int, **_: object) -> QueryResult:
        self.asked += 1
        return QueryResult(columns=("tenant", "asked"), rows=((tenant_id, self.asked),), seconds=0.0)


ENGINE = CountingEngine()


def the_engine() -> CountingEngine:
    return ENGINE


@pytest.fixture(autouse=True)
def engine() -> Iterator[CountingEngine]:
    local = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    with override_settings(CACHES=local, QUERY_ENGINE=f"{__name__}.the_engine"):
        ENGINE.asked = 0
        cache.clear()
        yield ENGINE


def ask(tenant_id: int = 1, publication: Publication = PUBLICATION, sql: str = SQL, parameters: tuple = (1,)) -> object:
    tenant = SimpleNamespace(id=tenant_id)
    return TenantQuery(tenant=tenant, publication=publication).rows(sql, parameters)


def test_the_tenant_goes_to_the_engine() -> None:
    assert ask(7) == ((7, 1),)


def test_the_same_question_is_asked_once() -> None:
    assert ask() == ask()
    assert ENGINE.asked == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tenant_id": 2},
        {"parameters": (2,)},
        {"parameters": ("1",)},
        {"sql": SQL + " OR true"},
        {"publication": replace(PUBLICATION, number=2)},
        {"publication": replace(PUBLICATION, pins=(replace(PIN, snapshot_id=2),))},
        {"publication": replace(PUBLICATION, published_at=NOW.replace(year=2027))},
    ],
)
def test_another_question_is_another_answer(other: dict[str, object]) -> None:
    assert ask() != ask(**other)
    assert ENGINE.asked == 2


def test_a_cache_that_does_not_answer_costs_time_only() -> None:
    nowhere = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    with override_settings(CACHES={"default": nowhere}):
        assert ask() == ((1, 1),)
        assert ask() == ((1, 2),)


def test_a_publication_is_named_by_its_content() -> None:
    assert digest(PUBLICATION) == digest(replace(PUBLICATION))
    assert digest(PUBLICATION) != digest(replace(PUBLICATION, pins=()))
