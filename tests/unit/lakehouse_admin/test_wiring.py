"""What the composition root makes of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from config.aws import aws_settings
from config.env import AwsEnv, Backend, LakehouseEnv
from lakehouse_admin import wiring
from lakehouse_admin.adapters.aws.catalog import GlueCatalog
from lakehouse_admin.adapters.aws.job_runner import GlueJobRunner
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.query_engine import AthenaQueryEngine
from lakehouse_admin.adapters.aws.replicator import DmsReplicator
from lakehouse_admin.costs.metered_queries import MeteredQueries
from tests.aws.dms import TASK
from tests.aws.service import ACCOUNT, REGION

CACHED: list[Any] = [wiring.lakehouse, wiring.query_engine, wiring.aws_backend]


@pytest.fixture(autouse=True)
def _nothing_wired() -> Iterator[None]:
    for each in CACHED:
        each.cache_clear()
    yield
    for each in CACHED:
        each.cache_clear()


@pytest.fixture
def aws(settings: Settings) -> None:
    settings.LAKEHOUSE = LakehouseEnv(backend=Backend.AWS, lake_uri="s3://bucket/lake")
    settings.AWS = aws_settings(settings.LAKEHOUSE, AwsEnv(region=REGION, dms_task=TASK))


@pytest.mark.usefixtures("aws")
def test_the_aws_backend_has_every_port() -> None:
    wired = wiring.lakehouse()
    assert [type(port) for port in (wired.replicator, wired.store, wired.catalog, wired.jobs, wired.queries)] == [
        DmsReplicator,
        S3Store,
        GlueCatalog,
        GlueJobRunner,
        AthenaQueryEngine,
    ]
    assert wired.store.uri("key") == "s3://bucket/lake/bronze/key"
    assert wired.store is wiring.bronze(), "what web processes look at"
    engine = wiring.query_engine()
    assert isinstance(engine, MeteredQueries), "what tenants ask is counted"
    assert engine.engine is wired.queries
    assert wired.store._owner == {"ExpectedBucketOwner": ACCOUNT}  # type: ignore[attr-defined]


@pytest.mark.usefixtures("aws")
def test_every_gold_model_is_known_to_be_a_tenants_or_the_platforms() -> None:
    tables = wiring._tenant_tables()
    assert tables["gold.daily_revenue"]
    assert all(name.startswith("gold.") for name in tables)


@pytest.mark.usefixtures("aws")
def test_what_needs_the_embedded_engine_says_so() -> None:
    with pytest.raises(wiring.EmbeddedOnlyError):
        wiring.lake_config()
