import pytest
from pyiceberg.types import DecimalType, ListType, StringType

from etl.contracts.types import LogicalType
from etl.engine.types import duckdb_type, iceberg_schema, iceberg_type

FAMILIES = [*(set(LogicalType) - {LogicalType.DECIMAL}), "decimal(12,2)", "decimal(38,38)"]


@pytest.mark.parametrize("logical_type", FAMILIES)
def test_every_logical_type_has_an_engine_type(logical_type: str) -> None:
    assert duckdb_type(iceberg_type(logical_type))


def test_decimals_keep_their_shape() -> None:
    assert iceberg_type("decimal(12,2)") == DecimalType(12, 2)
    assert duckdb_type(DecimalType(12, 2)) == "DECIMAL(12,2)"


def test_nested_types_are_not_ours() -> None:
    with pytest.raises(KeyError):
        duckdb_type(ListType(1, StringType()))


def test_schema_counts_field_ids_in_order() -> None:
    schema = iceberg_schema([("id", "bigint"), ("note", "text")])
    assert [(field.field_id, field.name, field.required) for field in schema.fields] == [
        (1, "id", False),
        (2, "note", False),
    ]
