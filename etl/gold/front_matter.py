"""Read a model file: the comment at its head, then one SELECT.

The comment is YAML between ``/* model`` and ``*/``. Nearly everything in it is required,
because a metric without a definition is a support ticket: see `docs/adr/0008-gold-models.md`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from etl.contracts.types import LogicalType, family
from etl.gold import transforms
from etl.gold.lint import check_portable
from etl.gold.model import TENANT_COLUMN, Audience, FrontMatterError, GoldColumn, GoldModel, ModelSyntaxError
from etl.quality.checks import Check, key_checks, read_checks
from etl.quality.yaml_lines import read_yaml

_HEAD = re.compile(r"/\* model\n(?P<yaml>.*?)\n\*/\n", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KEYS = ("title", "question", "grain", "freshness_seconds", "incremental_key", "columns", "checks")
_OPTIONAL_KEYS = ("audience", "transform")
_NUMBERS = {LogicalType.INTEGER, LogicalType.BIGINT, LogicalType.DOUBLE, LogicalType.DECIMAL}
_TYPES = {LogicalType.BOOLEAN, LogicalType.TEXT, LogicalType.DATE, LogicalType.TIMESTAMPTZ, *_NUMBERS}

Path_ = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _FrontMatter:
    """The YAML of one file, and the line on which each of its keys stands."""

    file: str
    data: Mapping[str, object]
    lines: Mapping[Path_, int]

    def error(self, problem: str, *path: Hashable) -> FrontMatterError:
        """Return ``problem``, placed at the deepest part of ``path`` that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return FrontMatterError(problem, file=self.file, line=self.lines[path[:length]])
        return FrontMatterError(problem, file=self.file, line=1)

    def text(self, mapping: Mapping[str, object], key: str, *path: Hashable) -> str:
        """Return the sentence under ``key``; refuse an empty or missing one."""
        value = mapping.get(key)
        if not isinstance(value, str) or not value.strip():
            where = f"column {path[-1]}" if path else "the model"
            raise self.error(f"{where} has no {key}; write `{key}: ...`", *path, key)
        return value.strip()

    def names(self, value: object, *path: Hashable) -> tuple[str, ...]:
        """Return a non-empty list of names."""
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise self.error(f"{path[-1]} must be a list of column names, such as [tenant_id, day]", *path)
        return tuple(value)


def read_model(path: Path) -> GoldModel:
    """Read one model file.

    Args:
        path: ``<model>.sql``.

    Raises:
        FrontMatterError: The comment is missing, incomplete or wrong.
        ModelSyntaxError: The SQL cannot be parsed or is not one SELECT.
        NotPortableError: The SQL leaves the portable subset.
    """
    return parse_model(path.read_text(encoding="utf-8"), file=path.name)


def parse_model(text: str, *, file: str) -> GoldModel:
    """Read the text of a model file; see `read_model`.

    Raises:
        FrontMatterError: The comment is missing, incomplete or wrong.
        ModelSyntaxError: The SQL cannot be parsed or is not one SELECT.
        NotPortableError: The SQL leaves the portable subset.
    """
    name = file.removesuffix(".sql")
    if not _NAME.fullmatch(name):
        raise FrontMatterError("name the file in lower case, such as daily_revenue.sql", file=file, line=1)
    head = _HEAD.match(text)
    if head is None:
        raise FrontMatterError("the file must begin with `/* model`, YAML, and `*/` on its own line", file=file, line=1)
    front = _read_yaml(head["yaml"], file=file)
    columns = _columns(front)
    transform = _transform(front, columns)
    query = parse_query(text, file=file)
    check_portable(query, file=file)
    return GoldModel(
        name=name,
        file=file,
        title=front.text(front.data, "title"),
        question=front.text(front.data, "question"),
        grain=_known_columns(front, "grain", columns),
        columns=columns,
        freshness_seconds=_freshness_seconds(front),
        incremental_key=_known_columns(front, "incremental_key", columns),
        audience=_audience(front, columns),
        checks=_checks(front, table=f"gold.{name}", columns=columns),
        query=query,
        transform=transform,
        selected=tuple(transforms.load(transform).INPUTS)
        if transform
        else tuple((column.name, column.type) for column in columns),
    )


def parse_query(sql: str, *, file: str, line: int = 1) -> exp.Query:
    """Parse exactly one SELECT.

    Args:
        sql: The text, in DuckDB's dialect.
        file: For messages.
        line: Where in ``file`` the text begins.

    Raises:
        ModelSyntaxError: It is something else, or not SQL.
    """
    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except ParseError as error:
        first = error.errors[0]
        problem = f"{first['description'].rstrip('.')} near {first['highlight']!r}"
        raise ModelSyntaxError(problem, file=file, line=line + (first["line"] or 1) - 1) from error
    except TokenError as error:
        raise ModelSyntaxError("a quote or comment is not closed", file=file, line=line) from error
    queries = [statement for statement in statements if statement is not None]
    if len(queries) != 1 or not isinstance(queries[0], exp.Select | exp.SetOperation):
        raise ModelSyntaxError("write exactly one SELECT statement", file=file, line=line)
    return queries[0]


def _read_yaml(text: str, *, file: str) -> _FrontMatter:
    first_line = 2  # the YAML begins below `/* model`
    data, lines = read_yaml(
        text,
        first_line=first_line,
        refuse=lambda problem, line: FrontMatterError(problem, file=file, line=line),
    )
    if not isinstance(data, dict):
        raise FrontMatterError(f"the front matter must give {', '.join(_KEYS)}", file=file, line=first_line)
    front = _FrontMatter(file=file, data=data, lines=lines)
    for key in data:
        if key not in _KEYS + _OPTIONAL_KEYS:
            raise front.error(f"`{key}` is not known; the keys are {', '.join(_KEYS + _OPTIONAL_KEYS)}", key)
    for key in _KEYS:
        if key not in data:
            raise front.error(f"`{key}` is missing; the keys are {', '.join(_KEYS)}")
    return front


def _columns(front: _FrontMatter) -> tuple[GoldColumn, ...]:
    listed = front.data["columns"]
    if not isinstance(listed, dict) or not listed:
        raise front.error("columns must map each output column to its type, unit and description", "columns")
    return tuple(_column(front, name, given) for name, given in listed.items())


def _column(front: _FrontMatter, name: str, given: object) -> GoldColumn:
    path = ("columns", name)
    if not isinstance(given, dict) or not given.keys() <= {"type", "unit", "description", "formula"}:
        problem = f"column {name} must have type and description, unit if it is a number, formula if it is computed"
        raise front.error(problem, *path)
    logical_type = front.text(given, "type", *path)
    try:
        kind = family(logical_type)
    except ValueError:
        kind = None
    if kind not in _TYPES:
        known = ", ".join(sorted(_TYPES))
        raise front.error(f"{logical_type!r} is no type for gold; use one of {known} with (precision,scale)", *path)
    is_key = name == "id" or name.endswith("_id")
    if kind in _NUMBERS and not is_key:
        front.text(given, "unit", *path)
    unit = given.get("unit")
    is_quotient = kind is LogicalType.DOUBLE and "transform" not in front.data
    return GoldColumn(
        name=name,
        type=logical_type,
        description=front.text(given, "description", *path),
        unit=None if unit is None else str(unit),
        formula=front.text(given, "formula", *path) if is_quotient or "formula" in given else None,
    )


def _known_columns(front: _FrontMatter, key: str, columns: Sequence[GoldColumn]) -> tuple[str, ...]:
    names = front.names(front.data[key], key)
    for name in names:
        if name not in {column.name for column in columns}:
            raise front.error(f"{key} names {name}, which is not among the columns", key)
    return names


def _freshness_seconds(front: _FrontMatter) -> int:
    seconds = front.data["freshness_seconds"]
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        raise front.error("freshness_seconds must be a whole number of seconds above 0", "freshness_seconds")
    return seconds


def _audience(front: _FrontMatter, columns: Sequence[GoldColumn]) -> Audience:
    """Return who may read the model: each tenant its own rows, unless it says otherwise."""
    given = front.data.get("audience", Audience.TENANT.value)
    if given not in list(Audience):
        raise front.error(f"audience must be one of {', '.join(Audience)}", "audience")
    audience = Audience(str(given))
    if audience is Audience.TENANT and TENANT_COLUMN not in {column.name for column in columns}:
        problem = f"without a column {TENANT_COLUMN} no tenant can read it; add the column, or `audience: platform`"
        raise front.error(problem, "columns")
    return audience


def _transform(front: _FrontMatter, columns: Sequence[GoldColumn]) -> str | None:
    """Return the name of the model's transform, whose result the columns have to describe."""
    name = front.data.get("transform")
    if name is None:
        return None
    if name not in transforms.names():
        problem = f"there is no transform {name}; there are {', '.join(transforms.names())}"
        raise front.error(problem, "transform")
    described = [(column.name, column.type) for column in columns]
    made = list(transforms.load(str(name)).OUTPUTS)
    if described != made:
        listed = ", ".join(f"{column} {kind}" for column, kind in made)
        raise front.error(f"the columns have to be what the transform {name} makes, in order: {listed}", "columns")
    return str(name)


def _checks(front: _FrontMatter, *, table: str, columns: Sequence[GoldColumn]) -> tuple[Check, ...]:
    """Return the grain's two checks and the listed ones, all as SQL that returns the rows at fault."""
    grain = _known_columns(front, "grain", columns)
    listed = read_checks(
        front.data["checks"],
        table=table,
        key=grain,
        types={column.name: column.type for column in columns},
        lines=front.lines,
        refuse=front.error,
    )
    return (*key_checks(table, grain, line=front.lines["grain",]), *listed)
