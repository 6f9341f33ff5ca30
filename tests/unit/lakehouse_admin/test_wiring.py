"""What the composition root refuses."""

import dataclasses
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from config.env import Backend
from lakehouse_admin.wiring import BackendIncompleteError, lakehouse


@pytest.fixture(autouse=True)
def _nothing_wired() -> Iterator[None]:
    lakehouse.cache_clear()
    yield
    lakehouse.cache_clear()


def test_the_aws_backend_says_what_it_lacks(settings: Settings) -> None:
    settings.LAKEHOUSE = dataclasses.replace(settings.LAKEHOUSE, backend=Backend.AWS)
    with pytest.raises(BackendIncompleteError, match="replicator, catalog, job runner and query engine are missing"):
        lakehouse()


def test_the_embedded_backend_refuses_a_lake_on_s3(settings: Settings) -> None:
    settings.LAKEHOUSE = dataclasses.replace(settings.LAKEHOUSE, lake_uri="s3://bucket/lake")
    with pytest.raises(BackendIncompleteError, match="keeps the lake in a folder"):
        lakehouse()
