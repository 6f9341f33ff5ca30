"""Rows of any one model, for readers who want all of it rather than a chart: by days, in an order, in pages.

The SQL holds names from the model files alone; what a reader chooses is looked up among
them or handed over as a parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self, cast

from dashboards.metrics.tenant_query import TenantQuery
from etl.contracts.types import LogicalType
from etl.gold.model import TENANT_COLUMN, GoldModel
from etl.ports.query_engine import Value

Rows = tuple[tuple[Value, ...], ...]

MOST_PAGE_ROWS = 1000
_PAGE_ROWS = 100
_MOST_PAGES = 1_000_000
_EXPORT_ROWS = 10_000
"""Rows fetched at a time for an export."""


class BadRequestError(ValueError):
    """The address asks for something that the model cannot answer; the message says what it can."""


def day_column(model: GoldModel) -> str | None:
    """Return the column by which the rows lie in time: a date of the grain; None if they do not."""
    for name in model.grain:
        if model.column(name).type == LogicalType.DATE:
            return name
    return None


def columns_shown(model: GoldModel) -> tuple[str, ...]:
    """Return the model's columns but the tenant, which is that of the address."""
    return tuple(name for name in model.column_names if name != TENANT_COLUMN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Which rows of a model, in which order."""

    model: GoldModel
    first_day: date | None
    end_day: date | None
    """The first day that is no longer asked for."""
    order: str
    is_descending: bool
    page: int
    """From 1."""
    page_size: int

    @classmethod
    def parse(cls, model: GoldModel, given: Mapping[str, str]) -> Self:
        """Read ``from``, ``to``, ``order``, ``page`` and ``page_size`` of an address.

        Raises:
            BadRequestError: One is unknown, malformed or not for this model.
        """
        known = ("from", "to", "order", "page", "page_size")
        for name in given:
            if name not in known:
                raise BadRequestError(f"There is no parameter {name!r}; there are {', '.join(known)}.")
        by_day = day_column(model)
        if by_day is None and ("from" in given or "to" in given):
            raise BadRequestError(f"{model.name} has no day, so from and to cannot narrow it.")
        order = given.get("order", by_day or columns_shown(model)[0])
        name = order.removeprefix("-")
        if name not in columns_shown(model):
            listed = ", ".join(columns_shown(model))
            raise BadRequestError(f"There is no column {name!r} to order by; there are {listed}.")
        return cls(
            model=model,
            first_day=_day(given, "from"),
            end_day=_day(given, "to"),
            order=name,
            is_descending=order.startswith("-"),
            page=_number(given, "page", default=1, most=_MOST_PAGES),
            page_size=_number(given, "page_size", default=_PAGE_ROWS, most=MOST_PAGE_ROWS),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """One page of rows."""

    rows: Rows
    of: int
    """Rows on all pages together."""


def model_page(query: TenantQuery, request: ModelRequest) -> ModelPage:
    """Return the page that the request names; empty beyond the last.

    Raises:
        LakehouseError: Gold cannot be read, see `TenantQuery.rows`.
    """
    where, parameters = _narrowed(request)
    counted = query.rows(f"SELECT COUNT(*) FROM {request.model.table}{where}", parameters)
    ((of,),) = cast("tuple[tuple[int]]", counted)
    offset = (request.page - 1) * request.page_size
    rows = query.rows(_select(request), (*parameters, request.page_size, offset)) if offset < of else ()
    return ModelPage(rows=rows, of=of)


def all_rows(query: TenantQuery, request: ModelRequest) -> Iterator[tuple[Value, ...]]:
    """Yield every row, whatever the page; a part is fetched when the part before has been taken.

    The first part is fetched at once, so that what cannot be read is known before anything is sent.

    Raises:
        LakehouseError: Gold cannot be read, see `TenantQuery.rows`.
    """
    return _following(query, request, _part(query, request, 0))


def _following(query: TenantQuery, request: ModelRequest, rows: Rows) -> Iterator[tuple[Value, ...]]:
    offset = 0
    while rows:
        yield from rows
        offset += len(rows)
        rows = _part(query, request, offset) if len(rows) == _EXPORT_ROWS else ()


def _part(query: TenantQuery, request: ModelRequest, offset: int) -> Rows:
    _, parameters = _narrowed(request)
    return query.rows(_select(request), (*parameters, _EXPORT_ROWS, offset), remember=False)


def _select(request: ModelRequest) -> str:
    """Return the SELECT of a page, in an order that no two rows share."""
    model = request.model
    where, _ = _narrowed(request)
    columns = ", ".join(columns_shown(model))
    rest = [name for name in model.grain if name not in {request.order, TENANT_COLUMN}]
    order = ", ".join([f"{request.order} {'DESC' if request.is_descending else 'ASC'} NULLS LAST", *rest])
    return f"SELECT {columns} FROM {model.table}{where} ORDER BY {order} LIMIT ? OFFSET ?"


def _narrowed(request: ModelRequest) -> tuple[str, tuple[Value, ...]]:
    by_day = day_column(request.model)
    bounds = [(">=", request.first_day), ("<", request.end_day)]
    given = [(sign, day) for sign, day in bounds if day is not None]
    where = " AND ".join(f"{by_day} {sign} ?" for sign, _ in given)
    return (f" WHERE {where}" if where else ""), tuple(day for _, day in given)


def _day(given: Mapping[str, str], name: str) -> date | None:
    text = given.get(name)
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError(f"{name}={text!r} is no day; write one like 2026-01-31.") from error


def _number(given: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise BadRequestError(f"{name}={text!r} is not a whole number from 1 to {most}.")
    return int(text)
