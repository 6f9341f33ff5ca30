import duckdb
import pytest

from etl.engine.sql import identifier, literal, qualified, text_list

HOSTILE = ["plain", 'a"b', "it's", "a.b", "", "é\n\\", "'); DROP TABLE x; --"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_literal_is_read_back(text: str) -> None:
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_an_identifier_is_read_back(name: str) -> None:
    assert duckdb.sql(f"SELECT 1 AS {identifier(name)}").columns == [name]


def test_a_dotted_name_is_quoted_by_part() -> None:
    assert qualified("silver.orders") == '"silver"."orders"'


def test_a_list_of_texts_is_read_back() -> None:
    assert duckdb.sql(f"SELECT {text_list(HOSTILE)}").fetchall() == [(HOSTILE,)]
