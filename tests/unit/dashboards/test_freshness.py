"""How old the data is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.freshness import Freshness, in_words
from etl.contracts.publication import Publication

AS_OF = datetime(2026, 11, 23, 7, 58, 31, tzinfo=UTC)
PUBLICATION = Publication(number=3, published_at=AS_OF, as_of=AS_OF, source_lsn=1, pins=())


def freshness(age: timedelta, timezone: str = "Europe/Berlin") -> Freshness:
    return Freshness.of(PUBLICATION, timezone=timezone, promise_seconds=24 * 3600, now=AS_OF + age)


def test_time_is_the_tenants() -> None:
    assert freshness(timedelta()).absolute == "23 Nov 2026, 08:58 CET"
    assert freshness(timedelta(), "Asia/Tokyo").absolute == "23 Nov 2026, 16:58 JST"
    assert freshness(timedelta()).iso == "2026-11-23T08:58:31+01:00"


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(minutes=60), "1 hour ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(seconds=-5), "just now"),
    ],
)
def test_age_in_words(age: timedelta, text: str) -> None:
    assert freshness(age).relative == text


def test_stale_is_older_than_promised() -> None:
    assert not freshness(timedelta(hours=24)).is_stale
    assert freshness(timedelta(hours=24, seconds=1)).is_stale


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (900, "15 minutes"),
        (3600, "1 hour"),
        (5400, "90 minutes"),
        (86400, "24 hours"),
    ],
)
def test_a_promise_in_words(seconds: int, text: str) -> None:
    assert in_words(seconds) == text
