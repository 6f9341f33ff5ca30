"""Glue's crawler as a second pair of eyes: what it sees in the landing zone, compared with the contracts.

Nothing is built on what a crawler guesses. It is asked only whether the files DMS writes
still have the columns that the contracts promise, by name and order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from botocore.exceptions import ClientError

from etl.bronze.layout import fields
from etl.contracts.table import TableContract
from etl.errors import OperatorError, TransientError
from lakehouse_admin.adapters.aws.errors import aws_errors, code_of

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient


class CrawlerMissingError(OperatorError):
    """There is no such crawler in this account and region."""

    guidance: ClassVar[str] = "Set LAKEHOUSE_GLUE_CRAWLER to the crawler that infra/terraform made, or leave it out."


class CrawlerUnavailableError(TransientError):
    """Glue did not answer about its crawler."""


class CrawlState(StrEnum):
    """Where a crawl is; the last three are final."""

    NEVER = "never"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crawl:
    """The latest crawl."""

    state: CrawlState
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeDifference:
    """A table whose files are not as its contract says."""

    table: str
    problem: str


def start_crawl(client: GlueClient, crawler: str) -> None:
    """Begin a crawl; returns at once. One under way is left alone.

    Raises:
        CrawlerMissingError: There is no such crawler.
        CrawlerUnavailableError: Glue did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    with aws_errors("The crawler cannot be started", unavailable=CrawlerUnavailableError):
        try:
            client.start_crawler(Name=crawler)
        except ClientError as error:
            if code_of(error) == "EntityNotFoundException":
                raise CrawlerMissingError(crawler=crawler) from error
            if code_of(error) != "CrawlerRunningException":
                raise


def latest_crawl(client: GlueClient, crawler: str) -> Crawl:
    """Return where the latest crawl is.

    Raises:
        CrawlerMissingError: There is no such crawler.
        CrawlerUnavailableError: Glue did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    with aws_errors("The crawler cannot be looked at", unavailable=CrawlerUnavailableError):
        try:
            found = client.get_crawler(Name=crawler)["Crawler"]
        except ClientError as error:
            if code_of(error) == "EntityNotFoundException":
                raise CrawlerMissingError(crawler=crawler) from error
            raise
    if found.get("State") != "READY":
        return Crawl(state=CrawlState.RUNNING)
    last = found.get("LastCrawl")
    if last is None:
        return Crawl(state=CrawlState.NEVER)
    return Crawl(state=CrawlState(last.get("Status", "FAILED").lower()), failure=last.get("ErrorMessage", ""))


def crawled_columns(client: GlueClient, database: str) -> Mapping[str, tuple[str, ...]]:
    """Return the columns of every table that crawls have found, by table.

    Raises:
        CrawlerUnavailableError: Glue did not answer.
        OperatorError: Whatever `aws_errors` raises for a person to mend.
    """
    with aws_errors("What the crawler found cannot be read", unavailable=CrawlerUnavailableError):
        pages = client.get_paginator("get_tables").paginate(DatabaseName=database)
        return {
            table["Name"]: tuple(column["Name"] for column in table.get("StorageDescriptor", {}).get("Columns", []))
            for page in pages
            for table in page["TableList"]
        }


def shape_differences(
    crawled: Mapping[str, Sequence[str]], contracts: Sequence[TableContract]
) -> tuple[ShapeDifference, ...]:
    """Compare what was crawled with what was promised: names, in order. Glue writes names in small letters.

    A table that was not crawled has no files, which is no difference.
    """
    found = []
    for contract in contracts:
        name = contract.table.name.lower()
        if name not in crawled:
            continue
        promised, seen = [field.lower() for field in fields(contract)], list(crawled[name])
        missing = [field for field in promised if field not in seen]
        strange = [field for field in seen if field not in promised]
        problems = [f"lacks {field}" for field in missing] + [
            f"has {field}, which nobody promised" for field in strange
        ]
        if not problems and seen != promised:
            problems = ["has its columns in another order"]
        if problems:
            found.append(ShapeDifference(table=str(contract.table), problem="; ".join(problems)))
    return tuple(found)
