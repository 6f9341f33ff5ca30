"""A new table lies where its namespace says, else below the warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField

from etl.engine.tables import ensure_table

SCHEMA = Schema(NestedField(1, "id", LongType(), required=False))


@pytest.mark.parametrize(
    ("own", "expected"), [(None, "warehouse/gold/days"), ("elsewhere/gold/", "elsewhere/gold/days")]
)
def test_the_namespace_decides(tmp_path: Path, own: str | None, expected: str):
    catalog = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse")
    if own:
        catalog.create_namespace("gold", {"location": f"file://{tmp_path}/{own}"})
    table = ensure_table(catalog, "gold.days", SCHEMA, partition_by=None)
    assert table.location() == f"file://{tmp_path}/{expected}"
    catalog.close()
