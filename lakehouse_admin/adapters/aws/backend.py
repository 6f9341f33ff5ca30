"""The five ports on AWS, wired to each other from one set of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Protocol

from etl.contracts.table import TableId
from etl.ports import Lakehouse
from lakehouse_admin.adapters.aws.catalog import GlueCatalog, GlueCatalogConfig
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.dms import dms_task
from lakehouse_admin.adapters.aws.job_runner import GlueJobRunner
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.query_engine import AthenaConfig, AthenaQueryEngine
from lakehouse_admin.adapters.aws.replicator import DmsReplicator
from lakehouse_admin.adapters.aws.uri import split_uri
from lakehouse_admin.adapters.aws.verify import Verification


class Settings(Protocol):
    """What `config.aws` has completed and checked."""

    @property
    def region(self) -> str:
        """The region of every resource."""

    @property
    def account(self) -> str:
        """The account that owns the bucket."""

    @property
    def endpoint(self) -> str | None:
        """A URL that answers for every service."""

    @property
    def s3_endpoint(self) -> str | None:
        """A URL that answers for S3."""

    @property
    def kms_key(self) -> str | None:
        """Encrypts every object."""

    @property
    def lake_uri(self) -> str:
        """Root of bronze, warehouse and jobs."""

    @property
    def dms_task(self) -> str:
        """The replication's ARN."""

    @property
    def landing_uri(self) -> str:
        """Where DMS writes."""

    @property
    def source_secret(self) -> str:
        """Names the source's URL in Secrets Manager."""

    @property
    def glue_job(self) -> str:
        """Runs every transform."""

    @property
    def glue_crawler(self) -> str | None:
        """Looks at the landing zone."""

    @property
    def athena_workgroup(self) -> str:
        """Answers dashboards."""

    @property
    def athena_catalog(self) -> str:
        """Athena's name for the Glue catalog."""

    @property
    def database_prefix(self) -> str:
        """Before the name of a schema."""

    @property
    def query_timeout_seconds(self) -> float:
        """Longest a query may take."""


class AwsBackend:
    """Makes the ports when they are first needed: web processes need Athena alone."""

    def __init__(
        self, settings: Settings, *, tables: Sequence[TableId], tenant_tables: Callable[[], Mapping[str, bool]]
    ) -> None:
        """Remember the settings; nothing is asked of AWS yet.

        Args:
            settings: Names of everything on AWS.
            tables: The tables selected for replication.
            tenant_tables: Tells, by qualified gold table, whether it is kept by tenant.
        """
        self._settings = settings
        self._tables = tuple(tables)
        self._tenant_tables = tenant_tables
        self.clients = AwsClients(region=settings.region, endpoint=settings.endpoint, s3_endpoint=settings.s3_endpoint)

    @cached_property
    def lakehouse(self) -> Lakehouse:
        """All five."""
        settings = self._settings
        jobs = GlueJobRunner(
            self.clients.glue,
            store=self._store_at(f"{settings.lake_uri}/jobs"),
            job_name=settings.glue_job,
            defaults={
                "lake_uri": settings.lake_uri,
                "landing_uri": settings.landing_uri,
                "database_prefix": settings.database_prefix,
                "region": settings.region,
                "account": settings.account,
                "kms_key": settings.kms_key,
            },
            source_secret=settings.source_secret,
        )
        return Lakehouse(
            replicator=DmsReplicator(
                dms_task(self.clients.dms, settings.dms_task),
                jobs=jobs,
                store=self._store_at(f"{settings.lake_uri}/jobs"),
                tables=self._tables,
                landing_uri=settings.landing_uri,
            ),
            store=self.bronze,
            catalog=GlueCatalog(
                self.clients.glue,
                GlueCatalogConfig(
                    database_prefix=settings.database_prefix,
                    warehouse=f"{settings.lake_uri}/warehouse",
                    region=settings.region,
                    s3_endpoint=settings.s3_endpoint,
                ),
            ),
            jobs=jobs,
            queries=self.queries,
        )

    @cached_property
    def bronze(self) -> S3Store:
        """Every file as it was copied."""
        return self._store_at(f"{self._settings.lake_uri}/bronze")

    @cached_property
    def queries(self) -> AthenaQueryEngine:
        """The engine that answers dashboards."""
        settings = self._settings
        return AthenaQueryEngine(
            self.clients.athena,
            AthenaConfig(
                workgroup=settings.athena_workgroup,
                catalog=settings.athena_catalog,
                database=f"{settings.database_prefix}gold",
                timeout_seconds=settings.query_timeout_seconds,
            ),
            tenant_tables=self._tenant_tables,
        )

    def verification(self, *, may_write: bool) -> Verification:
        """Return the checks that hold the settings against the account."""
        return Verification(
            self.clients,
            self._settings,
            bronze=self.bronze,
            tables=self._tables,
            may_write=may_write,
        )

    def _store_at(self, uri: str) -> S3Store:
        bucket, prefix = split_uri(uri)
        return S3Store(
            self.clients.s3,
            bucket=bucket,
            prefix=prefix,
            account=self._settings.account,
            kms_key=self._settings.kms_key,
        )
