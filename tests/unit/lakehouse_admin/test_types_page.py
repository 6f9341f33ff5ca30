from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from etl.contracts.source import _LOGICAL_TYPES
from etl.contracts.types import LogicalType
from etl.silver.conform import typed
from lakehouse_admin.status.types_page import REFUSED_VALUES, types_page

DOCS = Path(__file__).parents[3] / "docs"
CARRIED = {
    LogicalType.DECIMAL: ("0.00", "-9999999999.99"),
    LogicalType.DATE: ("0001-01-01", "9999-12-31"),
    LogicalType.TIMESTAMP: ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
    LogicalType.TIMESTAMPTZ: ("0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
}


def test_the_page_is_what_the_code_does():
    page = (DOCS / "types.md").read_text(encoding="utf-8")
    assert page == types_page(), "docs/types.md is out of date: manage.py lakehouse types > docs/types.md"


def test_every_type_that_is_known_is_on_the_page():
    page = types_page()
    for logical in {*_LOGICAL_TYPES.values(), LogicalType.TEXT}:
        assert f"| `{logical}` |" in page, logical


@pytest.mark.parametrize("kind", REFUSED_VALUES)
def test_what_the_page_calls_refused_is_refused_and_its_neighbours_are_not(kind: LogicalType):
    expression = typed("text", "decimal(12,2)" if kind is LogicalType.DECIMAL else kind)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for values, is_refused in ((REFUSED_VALUES[kind], True), (CARRIED[kind], False)):
            found = connection.execute(f"SELECT {expression} IS NULL FROM unnest(?) AS t(text)", [list(values)])
            assert [row for (row,) in found.fetchall()] == [is_refused] * len(values)
