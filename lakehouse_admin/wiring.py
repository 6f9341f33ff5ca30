"""Composition root: from settings to one wired backend. The only importer of adapters."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.utils import timezone

from etl.contracts.table import TableId
from etl.engine.lake import LakeConfig
from etl.errors import OperatorError
from etl.ports import Lakehouse
from etl.ports.object_store import ObjectStore
from etl.ports.query_engine import PublicationReader, QueryEngine
from etl.replicate.status import STATUS_NAME, StatusFile
from lakehouse_admin.adapters.embedded.job_runner import ChildProcessRunner
from lakehouse_admin.adapters.embedded.object_store import DirectoryStore
from lakehouse_admin.adapters.embedded.replicator import JobReplicator
from lakehouse_admin.adapters.embedded.warm_start import WarmStart
from lakehouse_admin.costs.metered_queries import MeteredQueries
from lakehouse_admin.costs.prices import PriceBook, current_prices
from lakehouse_admin.status.publications import RecordedPublications
from lakehouse_admin.status.replication import Replication, replication_now

if TYPE_CHECKING:
    from etl.replicate.session import ReplicatorConfig
    from lakehouse_admin.adapters.aws.backend import AwsBackend
    from lakehouse_admin.follow import Following


class SettingMissingError(OperatorError):
    """The lakehouse needs a setting that is not there."""

    guidance: ClassVar[str] = (
        "Start the stack with `manage.py up`, or set what the message names; see docs/settings.md."
    )


class EmbeddedOnlyError(OperatorError):
    """This needs the embedded backend's own engine, and the lake is on AWS."""

    guidance: ClassVar[str] = (
        "On AWS every run compares the rows itself: `manage.py lakehouse run`, then look at the run."
    )


class NotOnAwsError(OperatorError):
    """This is about the aws backend, and the lake is embedded."""

    guidance: ClassVar[str] = "Set LAKEHOUSE_BACKEND=aws and what docs/settings.md lists under AWS."


@functools.cache
def lakehouse() -> Lakehouse:
    """Return the backend that the settings choose; the same one for the life of the process.

    Raises:
        SettingMissingError: A connection URL is not set.
    """
    if settings.AWS is not None:
        return aws_backend().lakehouse
    from lakehouse_admin.adapters.embedded.catalog import IcebergCatalog  # noqa: PLC0415 - web processes do without

    lake = lake_config()
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]
    jobs = child_process_runner(lake)
    return Lakehouse(
        replicator=JobReplicator(jobs=jobs, tables=tables, slot=settings.LAKEHOUSE.slot),
        store=DirectoryStore(Path(lake.bronze_root)),
        catalog=IcebergCatalog(lake),
        jobs=jobs,
        queries=query_engine(),
    )


@functools.cache
def query_engine() -> QueryEngine:
    """Return the engine that answers dashboards (`settings.QUERY_ENGINE`), metered; one a process."""
    if settings.AWS is not None:
        return MeteredQueries(aws_backend().queries, is_charged=True, clock=timezone.now)
    from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine  # noqa: PLC0415 - as above

    return MeteredQueries(DuckDBQueryEngine(lake_config()), is_charged=False, clock=timezone.now)


def bronze() -> ObjectStore:
    """Return bronze alone: what web processes, which know no catalog, may look at."""
    if settings.AWS is not None:
        return aws_backend().bronze
    return DirectoryStore(Path(lake_config().bronze_root))


@functools.cache
def aws_backend() -> AwsBackend:
    """Return the aws backend; one a process, for it holds the clients' connections.

    Raises:
        NotOnAwsError: The settings choose another one.
    """
    if settings.AWS is None:
        raise NotOnAwsError
    from lakehouse_admin.adapters.aws.backend import AwsBackend  # noqa: PLC0415 - the embedded backend needs no boto3

    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]
    return AwsBackend(settings.AWS, tables=tables, tenant_tables=_tenant_tables)


@functools.cache
def _tenant_tables() -> Mapping[str, bool]:
    """Tell of every gold model whether its table is kept by tenant."""
    from etl.gold.compile import load_models  # noqa: PLC0415 - as above

    return {model.table: "tenant_id" in model.column_names for model in load_models()}


def publication_reader() -> PublicationReader:
    """Return the reader of publications (`settings.PUBLICATION_READER`)."""
    return RecordedPublications()


def lake_config() -> LakeConfig:
    """Return where the lake is, and what one job or question may use of this machine.

    Raises:
        EmbeddedOnlyError: It is on AWS, where no job runs on this machine.
    """
    if settings.AWS is not None:
        raise EmbeddedOnlyError
    return LakeConfig(
        lake_uri=settings.LAKEHOUSE.lake_uri,
        catalog_url=settings.LAKEHOUSE.catalog_url,
        memory_limit_bytes=settings.LAKEHOUSE.job_memory_bytes,
        threads=os.cpu_count() or 1,
    )


def replication(*, now: datetime) -> Replication:
    """Return what the replicator last said of itself."""
    return replication_now(Path(lake_config().bronze_root), now=now)


def price_book() -> PriceBook:
    """Return what the chosen backend charges, or for the embedded one what AWS would.

    Raises:
        PriceBookError: The file of LAKEHOUSE_PRICE_BOOK is missing or wrong.
    """
    return current_prices()


def following() -> Following:
    """Return the continuous follower over the embedded lake.

    Raises:
        SettingMissingError: LAKEHOUSE_CATALOG_URL is not set.
        BackendIncompleteError: The lake is not in a folder.
    """
    from etl.follow.cycle import Follower  # noqa: PLC0415 - the other processes do without engines
    from lakehouse_admin.follow import Following  # noqa: PLC0415

    lake, store = lake_config(), bronze()
    safe_age = timedelta(seconds=settings.LAKEHOUSE.safe_age_seconds)
    if not lake.catalog_url:
        raise SettingMissingError("LAKEHOUSE_CATALOG_URL is not set.")
    return Following(
        store,
        open_follower=lambda slot: Follower(lake, store, slot=slot, safe_age=safe_age),
        durable_lsn=lambda: replication(now=timezone.now()).durable_lsn,
    )


def source_url() -> str:
    """Return the connection URL of the role that reads the source whole.

    Raises:
        SettingMissingError: It is not set.
    """
    if not settings.LAKEHOUSE.source_url:
        raise SettingMissingError("LAKEHOUSE_SOURCE_URL is not set.")
    return str(settings.LAKEHOUSE.source_url)


def replicator_config() -> ReplicatorConfig:
    """Return what the replicator follows, and how.

    Raises:
        SettingMissingError: LAKEHOUSE_SOURCE_URL is not set.
    """
    from etl.replicate.session import ReplicatorConfig  # noqa: PLC0415 - web processes do without

    return ReplicatorConfig(
        source_url=source_url(),
        tables=tuple(TableId.parse(name) for name in settings.LAKEHOUSE.source_tables),
        slot=settings.LAKEHOUSE.slot,
        flush_seconds=float(settings.LAKEHOUSE.flush_seconds),
        reserve_bytes=settings.LAKEHOUSE.disk_reserve_bytes,
        free_bytes=_free_bytes,
    )


def _free_bytes() -> int:
    """Return the room that the lake's disk has left."""
    folder = Path(lake_config().bronze_root)
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def replicator_status() -> StatusFile:
    """Return where the replicator says how it is; anybody may read it.

    Raises:
        EmbeddedOnlyError: DMS replicates.
    """
    if settings.LAKEHOUSE.lake_uri.startswith("s3://"):
        raise EmbeddedOnlyError("The replicator is the embedded backend's; on AWS, DMS replicates.")
    return StatusFile(Path(lake_config().bronze_root) / STATUS_NAME)


def child_process_runner(lake: LakeConfig) -> ChildProcessRunner:
    """Return the runner of jobs as child processes.

    Raises:
        SettingMissingError: LAKEHOUSE_SOURCE_URL or LAKEHOUSE_CATALOG_URL is not set.
    """
    if not lake.catalog_url:
        raise SettingMissingError("LAKEHOUSE_CATALOG_URL is not set.")
    environment = _job_environment()
    return ChildProcessRunner(
        folder=settings.LAKEHOUSE.home / "jobs",
        defaults={
            "lake_uri": lake.lake_uri,
            "memory_limit_bytes": lake.memory_limit_bytes,
            "threads": lake.threads,
        },
        secrets={"source_url": source_url(), "catalog_url": lake.catalog_url},
        environment=environment,
        memory_limit_bytes=lake.memory_limit_bytes,
        warm=WarmStart(environment),
    )


def _job_environment() -> dict[str, str]:
    """Return the whole environment of a job: no secrets; under a supervisor, the mark by which it finds its own."""
    home = str(settings.LAKEHOUSE.home)
    mark = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": home} if settings.LAKEHOUSE.supervised else {}
    return {"HOME": home, "LANG": "C.UTF-8", "TZ": "UTC", **mark}
