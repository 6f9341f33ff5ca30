"""Composition root: from settings to one wired backend. The only importer of adapters."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import ClassVar

from django.conf import settings

from etl.contracts.table import TableId
from etl.engine.lake import LakeConfig
from etl.errors import OperatorError
from etl.ports import Lakehouse
from etl.ports.object_store import ObjectStore
from etl.ports.query_engine import PublicationReader, QueryEngine
from lakehouse_admin.adapters.embedded.job_runner import ChildProcessRunner
from lakehouse_admin.adapters.embedded.object_store import DirectoryStore
from lakehouse_admin.adapters.embedded.replicator import JobReplicator
from lakehouse_admin.adapters.embedded.warm_start import WarmStart
from lakehouse_admin.status.publications import RecordedPublications


class SettingMissingError(OperatorError):
    """The lakehouse needs a setting that is not there."""

    guidance: ClassVar[str] = (
        "Start the stack with `manage.py up`, or set what the message names; see docs/settings.md."
    )


class BackendIncompleteError(OperatorError):
    """The chosen backend does not have every port yet."""

    guidance: ClassVar[str] = "Set LAKEHOUSE_BACKEND=embedded, and LAKEHOUSE_LAKE_URI to a folder."


@functools.cache
def lakehouse() -> Lakehouse:
    """Return the backend that the settings choose; the same one for the life of the process.

    Raises:
        SettingMissingError: A connection URL is not set.
        BackendIncompleteError: The chosen backend lacks ports.
    """
    if settings.LAKEHOUSE.backend != "embedded":
        raise BackendIncompleteError(
            f"The {settings.LAKEHOUSE.backend} backend has an object store so far; "
            "its replicator, catalog, job runner and query engine are missing."
        )
    if settings.LAKEHOUSE.lake_uri.startswith("s3://"):
        raise BackendIncompleteError("The embedded backend keeps the lake in a folder, not on S3.")
    from lakehouse_admin.adapters.embedded.catalog import IcebergCatalog  # noqa: PLC0415 - web processes do without

    lake = lake_config()
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]
    jobs = child_process_runner(lake)
    return Lakehouse(
        replicator=JobReplicator(jobs=jobs, tables=tables),
        store=DirectoryStore(Path(lake.bronze_root)),
        catalog=IcebergCatalog(lake),
        jobs=jobs,
        queries=query_engine(),
    )


@functools.cache
def query_engine() -> QueryEngine:
    """Return the engine that answers dashboards (`settings.QUERY_ENGINE`); one a process."""
    from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine  # noqa: PLC0415 - as above

    return DuckDBQueryEngine(lake_config())


def bronze() -> ObjectStore:
    """Return bronze alone: what web processes, which know no catalog, may look at.

    Raises:
        BackendIncompleteError: The lake is not in a folder.
    """
    if settings.LAKEHOUSE.lake_uri.startswith("s3://"):
        raise BackendIncompleteError("The embedded backend keeps the lake in a folder, not on S3.")
    return DirectoryStore(Path(lake_config().bronze_root))


def publication_reader() -> PublicationReader:
    """Return the reader of publications (`settings.PUBLICATION_READER`)."""
    return RecordedPublications()


def lake_config() -> LakeConfig:
    """Return where the lake is, and what one job or question may use of this machine."""
    return LakeConfig(
        lake_uri=settings.LAKEHOUSE.lake_uri,
        catalog_url=settings.LAKEHOUSE.catalog_url,
        memory_limit_bytes=settings.LAKEHOUSE.job_memory_bytes,
        threads=os.cpu_count() or 1,
    )


def source_url() -> str:
    """Return the connection URL of the role that reads the source whole.

    Raises:
        SettingMissingError: It is not set.
    """
    if not settings.LAKEHOUSE.source_url:
        raise SettingMissingError("LAKEHOUSE_SOURCE_URL is not set.")
    return str(settings.LAKEHOUSE.source_url)


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
