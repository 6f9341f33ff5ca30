from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.contracts.table import TableId

names = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("orders", "public", "orders"),
        ("lab.sample", "lab", "sample"),
        ("Front Desk.Visits by day", "Front Desk", "Visits by day"),
        ('"device.log, v2"', "public", "device.log, v2"),
        ('lab."device.log"', "lab", "device.log"),
        ('"a.b"."c""d"', "a.b", 'c"d'),
    ],
)
def test_names_are_read_as_sql_writes_them(text: str, schema: str, name: str):
    assert TableId.parse(text) == TableId(schema=schema, name=name)


@given(names, names)
def test_what_is_written_is_read_back(schema: str, name: str):
    table = TableId(schema=schema, name=name)
    assert TableId.parse(str(table)) == table


@given(names, names)
def test_the_name_in_the_lake_is_a_plain_one(schema: str, name: str):
    found = TableId(schema=schema, name=name).lake_name
    assert found.replace("_", "a").isalnum()


def test_plain_names_stay_as_they_are():
    assert TableId.parse("orders").lake_name == "orders"
    assert TableId.parse("lab.sample").lake_name == "lab__sample"
    assert TableId.parse('lab."device.log"').lake_name == "lab__device_x2E_log"
