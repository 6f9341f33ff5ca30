"""The world of these tests, opened once; signed-in browsers for it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from config import env
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine
from tests.integration.dashboards.world import EMPTY, PUBLISHED, Published, World, open_shop, publish
from tests.lakes import lake_in
from tests.servers import Servers

READERS = "tests.integration.dashboards.world"


@pytest.fixture(scope="module")
def world(
    servers: Servers,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    with django_db_blocker.unblock(), servers.scratch_database() as catalog:
        try:
            shops = [open_shop(slug) for slug in ("ours", "theirs", "newcomer")]
            lake = lake_in(tmp_path_factory.mktemp("dashboards"), catalog.catalog_url)
            publication = publish(lake, shops[:2])
            PUBLISHED.lake, PUBLISHED.engine = lake, DuckDBQueryEngine(lake)
            yield World(ours=shops[0], theirs=shops[1], newcomer=shops[2], publication=publication)
        finally:
            with psycopg.connect(str(env.load().database_url)) as owner:
                owner.execute(EMPTY)


@pytest.fixture(autouse=True)
def published(world: World, settings: Settings) -> Published:
    """Everything published, nothing remembered, at the start of every test."""
    settings.PUBLICATION_READER = f"{READERS}.publication_reader"
    settings.QUERY_ENGINE = f"{READERS}.query_engine"
    cache.clear()
    PUBLISHED.publication, PUBLISHED.held_back = world.publication, None
    return PUBLISHED


@pytest.fixture
def visit(db: None, world: World) -> Client:
    """A browser in which our owner has signed in."""
    client = Client()
    client.force_login(world.ours.owner)
    return client
