"""boto3's clients, made once: bounded waits, retries with jitter, one region."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dms import DatabaseMigrationServiceClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

_CONFIG = Config(
    # "standard" waits a random share of 1, 2, 4 ... seconds between attempts, and stops early when much fails.
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,
    read_timeout=20,
    max_pool_connections=25,
)
_MAKING = threading.Lock()
"""Making clients is not safe between threads; using one is."""


class AwsClients:
    """One client per service, made when first needed. Credentials come from boto3's own chain."""

    def __init__(
        self,
        *,
        region: str,
        endpoint: str | None = None,
        s3_endpoint: str | None = None,
        session: boto3.Session | None = None,
    ) -> None:
        """Remember where to ask; nothing is asked yet.

        Args:
            region: Where the resources are.
            endpoint: URL that answers for every service, such as an emulator's; AWS's own if None.
            s3_endpoint: URL that answers for S3 alone, if it is another.
            session: Holds credentials; a new one, by boto3's chain, if None.
        """
        self.region = region
        self._endpoint = endpoint
        self._s3_endpoint = s3_endpoint or endpoint
        self._session = session or boto3.Session(region_name=region)

    @cached_property
    def dms(self) -> DatabaseMigrationServiceClient:
        """Replication tasks and serverless replications."""
        with _MAKING:
            return self._session.client("dms", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG)

    @cached_property
    def glue(self) -> GlueClient:
        """The catalog, job runs, crawlers."""
        with _MAKING:
            return self._session.client("glue", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG)

    @cached_property
    def athena(self) -> AthenaClient:
        """Queries."""
        with _MAKING:
            return self._session.client("athena", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics."""
        with _MAKING:
            return self._session.client(
                "cloudwatch", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG
            )

    @cached_property
    def s3(self) -> S3Client:
        """Objects."""
        with _MAKING:
            return self._session.client("s3", region_name=self.region, endpoint_url=self._s3_endpoint, config=_CONFIG)

    @cached_property
    def sts(self) -> STSClient:
        """Who we are."""
        with _MAKING:
            return self._session.client("sts", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG)

    @cached_property
    def secrets(self) -> Any:
        """Names of secrets; their texts are fetched by jobs alone."""
        with _MAKING:
            return self._session.client(
                "secretsmanager", region_name=self.region, endpoint_url=self._endpoint, config=_CONFIG
            )
