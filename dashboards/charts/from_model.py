"""What a gold model's front matter says about a chart of it: how columns are headed, written and meant."""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.charts.chart import Kind, TableColumn
from dashboards.metrics.definitions import models
from etl.contracts.types import LogicalType, family
from etl.gold.model import GoldColumn, GoldModel

_ABBREVIATIONS = {"mrr": "MRR", "arr": "ARR", "arpa": "ARPA", "id": "number"}
_MONTHS = ("month", "cohort_month")


def model_named(name: str) -> GoldModel:
    """Return the model.

    Raises:
        LookupError: There is none; a chart was declared over a model that does not exist.
    """
    for model in models():
        if model.name == name:
            return model
    raise LookupError(name)


def table_column(model: GoldModel, name: str, title: str | None = None) -> TableColumn:
    """Return how the model's column ``name`` is headed and written.

    Raises:
        KeyError: The model has no such column.
    """
    return TableColumn(name=name, title=title or _title(name), kind=kind_of(model.column(name)))


def kind_of(column: GoldColumn) -> Kind:
    """Return how values of the column are written, from its type and unit."""
    kind = family(column.type)
    if kind is LogicalType.DATE:
        return Kind.MONTH if column.name in _MONTHS else Kind.DAY
    if kind is LogicalType.BOOLEAN:
        return Kind.YES_NO
    if column.unit is None:
        return Kind.TEXT
    if column.unit.startswith("tenant currency"):
        return Kind.MONEY
    if column.unit == "ratio":
        # A quotient of amounts that may be any size is no part of a whole.
        return Kind.NUMBER if column.name == "quick_ratio" else Kind.RATIO
    return Kind.COUNT if kind in {LogicalType.BIGINT, LogicalType.INTEGER} else Kind.NUMBER


def meaning(model: GoldModel, names: Iterable[str]) -> str:
    """Return what the columns mean, in the words of the model file."""
    return " ".join(f"{_title(name)}: {_described(model.column(name))}" for name in names)


def _described(column: GoldColumn) -> str:
    formula = f" That is {column.formula}." if column.formula else ""
    return f"{column.description.removesuffix('.')}.{formula}"


def _title(name: str) -> str:
    words = [_ABBREVIATIONS.get(word, word) for word in name.split("_")]
    first = words[0]
    return " ".join([first if first.isupper() else first.capitalize(), *words[1:]])
