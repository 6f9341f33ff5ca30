"""Every model, on cases small enough to compute by hand: ``cases/<model>.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from etl.contracts.types import LogicalType, family
from etl.gold.compile import check_sql, compile_models, load_models
from etl.gold.model import GoldModel
from tests.unit.etl.gold.silver import COLUMNS, compute_needed, open_silver

CASES = Path(__file__).with_name("cases")
COMPILED = {each.model.name: each for each in compile_models(load_models(), silver=COLUMNS)}


def each_case() -> Iterator[object]:
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield pytest.param(path.stem, case, id=f"{path.stem}: {case['case']}")


ALL_CASES = [*each_case()]


def test_every_model_has_cases() -> None:
    assert {path.stem for path in CASES.glob("*.yaml")} == set(COMPILED)


@pytest.mark.parametrize(("name", "case"), ALL_CASES)
def test_model(name: str, case: Mapping[str, object]) -> None:
    as_of = case.get("as_of", datetime(2026, 7, 1, tzinfo=UTC))
    connection = open_silver(case["given"])
    compute_needed(connection, [f"gold.{name}"], COMPILED.values(), as_of=as_of)
    model = COMPILED[name].model
    assert rows(connection, model, case["expect"]) == expected(model, case["expect"])
    for check in COMPILED[name].checks:
        assert connection.execute(check_sql(check, "duckdb", as_of=as_of)).fetchall() == [], check.check.name


def rows(
    connection: duckdb.DuckDBPyConnection, model: GoldModel, expect: list[Mapping[str, object]]
) -> list[dict[str, object]]:
    """Return the model's rows in grain order, with the columns that the case asks for."""
    wanted = [name for name in model.column_names if any(name in row for row in expect)] or ["tenant_id"]
    cursor = connection.execute(f"SELECT {', '.join(wanted)} FROM {model.table} ORDER BY {', '.join(model.grain)}")
    return [dict(zip(wanted, row, strict=True)) for row in cursor.fetchall()]


def expected(model: GoldModel, expect: list[Mapping[str, object]]) -> list[dict[str, object]]:
    """Return the case's rows as the types that the model declares."""
    return [{name: typed(model.column(name).type, value) for name, value in row.items()} for row in expect]


def typed(logical_type: str, value: object) -> object:
    if value is None:
        return None
    match family(logical_type):
        case LogicalType.DECIMAL:
            return Decimal(str(value))
        case LogicalType.DOUBLE:
            return pytest.approx(value)
        case LogicalType.TIMESTAMPTZ:
            assert isinstance(value, datetime)
            return value.astimezone(UTC)
    return value
