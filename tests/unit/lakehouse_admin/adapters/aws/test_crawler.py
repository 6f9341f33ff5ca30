"""The crawler: its states, and what it sees against what was promised."""

from __future__ import annotations

import pytest

from lakehouse_admin.adapters.aws.crawler import (
    CrawlerMissingError,
    CrawlerUnavailableError,
    CrawlState,
    crawled_columns,
    latest_crawl,
    shape_differences,
    start_crawl,
)
from lakehouse_admin.adapters.aws.errors import PermissionDeniedError
from tests.aws.glue import CRAWLER, FakeGlue
from tests.aws.service import Fault
from tests.contracts import contract

ORDERS = contract("orders", ("id", "bigint"), ("total", "decimal(12,2)"))
PROMISED = [
    ("op", "string"),
    ("_committed_at", "string"),
    ("id", "bigint"),
    ("total", "double"),
    ("_change_seq", "string"),
]


def test_a_crawl_goes_through_its_states() -> None:
    glue = FakeGlue()
    client = glue.client()
    assert latest_crawl(client, CRAWLER).state is CrawlState.NEVER
    start_crawl(client, CRAWLER)
    start_crawl(client, CRAWLER)
    assert latest_crawl(client, CRAWLER).state is CrawlState.RUNNING
    glue.crawler["State"] = "STOPPING"
    assert latest_crawl(client, CRAWLER).state is CrawlState.RUNNING
    glue.end_crawl("SUCCEEDED")
    assert latest_crawl(client, CRAWLER).state is CrawlState.SUCCEEDED
    glue.end_crawl("CANCELLED")
    assert latest_crawl(client, CRAWLER).state is CrawlState.CANCELLED
    glue.end_crawl("FAILED", "Insufficient permissions")
    failed = latest_crawl(client, CRAWLER)
    assert (failed.state, failed.failure) == (CrawlState.FAILED, "Insufficient permissions")


@pytest.mark.parametrize("call", [start_crawl, latest_crawl])
def test_a_crawler_that_does_not_exist_is_named(call: object) -> None:
    with pytest.raises(CrawlerMissingError, match="other"):
        call(FakeGlue().client(), "other")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(Fault("AccessDeniedException"), PermissionDeniedError), (Fault("ThrottlingException"), CrawlerUnavailableError)],
)
def test_what_glue_refuses_is_told_apart(fault: Fault, expected: type[Exception]) -> None:
    glue = FakeGlue()
    glue.fail("StartCrawler", fault)
    with pytest.raises(expected):
        start_crawl(glue.client(), CRAWLER)


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        (PROMISED, None),
        (PROMISED[:3] + PROMISED[4:], "lacks total"),
        ([*PROMISED, ("col5", "string")], "has col5, which nobody promised"),
        ([PROMISED[0], PROMISED[1], PROMISED[3], PROMISED[2], PROMISED[4]], "has its columns in another order"),
    ],
)
def test_what_was_crawled_is_compared_with_the_contract(seen: list[tuple[str, str]], problem: str | None) -> None:
    glue = FakeGlue()
    glue.tables = {"orders": seen}
    found = shape_differences(crawled_columns(glue.client(), "lakeside_dev_landing"), [ORDERS])
    assert [each.problem for each in found] == ([problem] if problem else [])


def test_a_table_without_files_is_no_difference() -> None:
    assert shape_differences({}, [ORDERS]) == ()
