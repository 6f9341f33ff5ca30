"""What a check is, and the shorthands it may be written in: every one becomes SQL that returns the rows at fault.

The same list of shorthands stands in the front matter of gold's models (``checks:``) and in
silver's suites (``suites/<table>.yaml``)::

    - not_null: [name, currency]
    - unique: [tenant_id, number]                       # NULL equals nothing, as in SQL
    - accepted_values: {column: status, values: [pending, completed]}
    - relationship: {columns: [tenant_id, customer_id], to: silver.customers, key: [tenant_id, id]}
    - range: {column: total, min: 0, max: as_of}        # numbers, days, or the moment the data stands at
    - freshness: {column: created_at, seconds: 604800}  # the newest row is at most this old
    - volume: {minimum_runs: 5, tolerance: 0.5}         # row count against its own history, see `volume`
    - {name: total_is_sum, expression: total = subtotal - discount + tax}   # for every row; NULL passes
    - {name: no_order_is_lost, sql: SELECT ...}         # returns the rows at fault

Each may carry ``name``, ``severity`` (``block`` or ``warn``) and ``dimension``. What is left out is
decided by the kind: rules about structure (``not_null``, ``unique``, ``relationship``,
``accepted_values``, ``sql``) block, because a number computed from rows that break them is wrong;
rules about how the world behaves (``range``, ``expression``, ``freshness``, ``volume``) warn, because
an unusual day is not an error. See `docs/adr/0015-checks-and-lineage.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from etl.contracts.types import LogicalType, family
from etl.engine.sql import identifier, literal

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)

Types = Mapping[str, str]
"""Logical type of every column of the checked table, by name."""
Refuse = Callable[..., Exception]
"""``refuse(problem, *path)`` returns the error that places a problem in its file; ``path`` leads through the YAML."""

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_NUMBERS = {LogicalType.INTEGER, LogicalType.BIGINT, LogicalType.DOUBLE, LogicalType.DECIMAL}
_AS_OF = "as_of"


class Severity(StrEnum):
    """What a failing check does."""

    BLOCK = "block"
    """Nothing is published: readers keep the last good version."""
    WARN = "warn"
    """It is shown, and published all the same."""


class Dimension(StrEnum):
    """Which promise about the data a check holds."""

    COMPLETENESS = "completeness"
    """Nothing is missing."""
    ACCURACY = "accuracy"
    """Values are possible ones."""
    CONSISTENCY = "consistency"
    """Values agree with each other."""
    TIMELINESS = "timeliness"
    """Rows are as recent as they should be, and none is from the future."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """How a row count is compared with the counts of earlier runs."""

    minimum_runs: int = 5
    """With fewer counts to compare with, nothing is judged."""
    tolerance: float = 0.5
    """Share by which a count may always differ from the usual one, however steady it was: above 0, below 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule about a table's rows: SQL that returns those that break it."""

    name: str
    sql: str
    """In DuckDB's dialect, within the portable subset; of a `volume` check: the row count."""
    line: int
    severity: Severity = Severity.BLOCK
    dimension: Dimension = Dimension.CONSISTENCY
    volume: Volume | None = None
    refers_to: tuple[str, ...] = ()
    """Qualified names of the tables that a `relationship` looks into."""


_DEFAULTS: Mapping[str, tuple[Severity, Dimension]] = {
    "not_null": (Severity.BLOCK, Dimension.COMPLETENESS),
    "unique": (Severity.BLOCK, Dimension.CONSISTENCY),
    "relationship": (Severity.BLOCK, Dimension.CONSISTENCY),
    "accepted_values": (Severity.BLOCK, Dimension.ACCURACY),
    "sql": (Severity.BLOCK, Dimension.CONSISTENCY),
    "range": (Severity.WARN, Dimension.ACCURACY),
    "expression": (Severity.WARN, Dimension.ACCURACY),
    "freshness": (Severity.WARN, Dimension.TIMELINESS),
    "volume": (Severity.WARN, Dimension.COMPLETENESS),
}
_KINDS = tuple(_DEFAULTS)
_EXTRAS = ("name", "severity", "dimension")
_USUAL = Volume()
_NAMED = {"sql", "expression"}
"""Kinds whose name cannot be derived from what they say."""


def key_checks(table: str, key: Sequence[str], *, line: int) -> tuple[Check, Check]:
    """Return the two checks every key brings along: never NULL, and together unique.

    Args:
        table: Qualified name of the checked table.
        key: The columns by which its rows are told apart: a model's grain, or silver's key.
        line: Where the key is declared.
    """
    columns = ", ".join(_quoted(name) for name in key)
    missing = Check(
        name=f"not_null({', '.join(key)})",
        sql=f"SELECT {columns} FROM {table} WHERE {_any_null(key)}",
        line=line,
        dimension=Dimension.COMPLETENESS,
    )
    doubled = Check(
        name=f"unique({', '.join(key)})",
        sql=f"SELECT {columns}, COUNT(*) AS copies FROM {table} GROUP BY {columns} HAVING COUNT(*) > 1",
        line=line,
    )
    return missing, doubled


def read_checks(
    listed: object,
    *,
    table: str,
    key: Sequence[str],
    types: Types,
    lines: Mapping[tuple[Hashable, ...], int],
    refuse: Refuse,
) -> tuple[Check, ...]:
    """Read a ``checks:`` list.

    Args:
        listed: What YAML found there.
        table: Qualified name of the checked table.
        key: The columns that name a row at fault; nothing else of it is kept.
        types: The table's columns.
        lines: The line of every part of the file, by its path.
        refuse: Makes the error for a part of the list that is wrong.

    Raises:
        Exception: What ``refuse`` returned.
    """
    if not isinstance(listed, list):
        raise refuse("checks must be a list; write `checks: []` for none", "checks")
    checks: list[Check] = []
    for index, given in enumerate(listed):
        reader = _Reader(table=table, key=key, types=types, refuse=refuse, path=("checks", index))
        check = reader.read(given, lines)
        if check.name in {each.name for each in checks}:
            raise refuse(f"there are two checks called {check.name}; give one a `name`", "checks", index)
        checks.append(check)
    return tuple(checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Reads one entry of the list."""

    table: str
    key: Sequence[str]
    types: Types
    refuse: Refuse
    path: tuple[Hashable, ...]

    def read(self, given: object, lines: Mapping[tuple[Hashable, ...], int]) -> Check:
        kinds = [kind for kind in _KINDS if isinstance(given, dict) and kind in given]
        if not isinstance(given, dict) or len(kinds) != 1:
            raise self._wrong(f"a check is one of {', '.join(_KINDS)}, such as `not_null: [..]` or `name` with `sql`")
        kind = kinds[0]
        unknown = sorted(str(each) for each in given.keys() - {kind, *_EXTRAS})
        if unknown:
            raise self._wrong(f"`{unknown[0]}` is not known in a {kind} check; it takes {', '.join(_EXTRAS)}")
        severity, dimension = _DEFAULTS[kind]
        name, sql, volume = self._rule(kind, given[kind])
        if kind in _NAMED and "name" not in given:
            raise self._wrong(f"give the {kind} check a `name`, such as `name: total_is_sum`")
        return Check(
            name=self._text(given["name"], "name") if "name" in given else name,
            sql=sql,
            line=lines.get((*self.path, kind), lines[self.path]),
            severity=self._one_of(Severity, given.get("severity", severity), "severity"),
            dimension=self._one_of(Dimension, given.get("dimension", dimension), "dimension"),
            volume=volume,
            refers_to=(given[kind]["to"].strip(),) if kind == "relationship" else (),
        )

    def _rule(self, kind: str, rule: object) -> tuple[str, str, Volume | None]:
        """Return a check's usual name, its SQL and, for `volume`, how it is judged."""
        volume = None
        match kind:
            case "not_null":
                names = self._columns(rule, kind)
                name, sql = f"not_null({', '.join(names)})", self._rows_where(_any_null(names))
            case "unique":
                names = self._columns(rule, kind)
                name, sql = f"unique({', '.join(names)})", self._doubled(names)
            case "accepted_values":
                name, sql = self._accepted_values(self._fields(rule, kind, required={"column", "values"}))
            case "relationship":
                name, sql = self._relationship(self._fields(rule, kind, required={"columns", "to", "key"}))
            case "range":
                name, sql = self._range(self._fields(rule, kind, required={"column"}, optional={"min", "max"}))
            case "freshness":
                name, sql = self._freshness(self._fields(rule, kind, required={"column", "seconds"}))
            case "volume":
                volume = self._volume(rule)
                name, sql = "volume", f"SELECT COUNT(*) AS row_count FROM {self.table}"
            case "expression":
                name, sql = "", self._rows_where(f"NOT ({self._text(rule, kind)})")
            case _:
                name, sql = "", self._text(rule, kind)
        return name, sql, volume

    def _accepted_values(self, rule: Mapping[str, Any]) -> tuple[str, str]:
        column, values = self._column(rule["column"], "accepted_values"), rule["values"]
        if not isinstance(values, list) or not values:
            raise self._wrong("accepted_values needs values, such as `values: [pending, completed]`", "accepted_values")
        kind = family(self.types[column])
        fits = {LogicalType.TEXT: str, LogicalType.BOOLEAN: bool, LogicalType.INTEGER: int, LogicalType.BIGINT: int}
        if kind not in fits:
            raise self._wrong(f"accepted_values does not suit {column}, a {kind}; write a range", "accepted_values")
        for value in values:
            if type(value) is not fits[kind]:
                problem = f"{column} is a {kind}, which {value!r} is not; quote it if it is meant as text"
                raise self._wrong(problem, "accepted_values", "values")
        constants = ", ".join(literal(value) if isinstance(value, str) else str(value).lower() for value in values)
        return f"accepted_values({column})", self._rows_where(f"NOT ({_quoted(column)} IN ({constants}))")

    def _relationship(self, rule: Mapping[str, Any]) -> tuple[str, str]:
        names, there = self._columns(rule["columns"], "relationship"), rule["key"]
        target = self._text(rule["to"], "relationship")
        if not isinstance(there, list) or len(there) != len(names) or not all(isinstance(each, str) for each in there):
            raise self._wrong(f"relationship needs `key`: the {len(names)} columns of {target} to find", "relationship")
        on = " AND ".join(
            f"own.{_quoted(mine)} = other.{_quoted(theirs)}" for mine, theirs in zip(names, there, strict=True)
        )
        known = " AND ".join(f"own.{_quoted(name)} IS NOT NULL" for name in names)
        sql = (
            f"SELECT {self._key('own')} FROM {self.table} AS own LEFT JOIN {target} AS other ON {on}"
            f" WHERE {known} AND other.{_quoted(there[-1])} IS NULL"
        )
        return f"relationship({', '.join(names)} to {target})", sql

    def _range(self, rule: Mapping[str, Any]) -> tuple[str, str]:
        column = self._column(rule["column"], "range")
        if not rule.keys() & {"min", "max"}:
            raise self._wrong(f"the range of {column} needs `min`, `max` or both", "range")
        outside = [
            f"{_quoted(column)} {sign} {self._bound(column, rule[end], end)}"
            for end, sign in (("min", "<"), ("max", ">"))
            if end in rule
        ]
        if len(outside) > 1 and type(rule["min"]) is type(rule["max"]) and rule["min"] > rule["max"]:
            raise self._wrong(f"no value of {column} lies between {rule['min']} and {rule['max']}", "range")
        return f"range({column})", self._rows_where(" OR ".join(outside))

    def _bound(self, column: str, bound: object, end: str) -> str:
        kind = family(self.types[column])
        if kind in _NUMBERS and isinstance(bound, int | float) and not isinstance(bound, bool):
            return str(bound)
        if kind is LogicalType.DATE and isinstance(bound, date) and not isinstance(bound, datetime):
            return f"CAST('{bound}' AS DATE)"
        if kind is LogicalType.DATE and bound == _AS_OF:
            return "LOCAL_DAY(AS_OF(), 'UTC')"
        if kind is LogicalType.TIMESTAMPTZ and bound == _AS_OF:
            return "AS_OF()"
        wanted = {
            LogicalType.DATE: "a day, such as 2020-01-31, or as_of",
            LogicalType.TIMESTAMPTZ: "as_of, the moment the data stands at",
        }
        if kind in _NUMBERS:
            wanted[kind] = "a number"
        if kind not in wanted:
            raise self._wrong(f"{column} is a {kind}, which has no range; write an expression", "range", "column")
        raise self._wrong(f"{column} is a {kind}, so `{end}` must be {wanted[kind]}, not {bound!r}", "range", end)

    def _freshness(self, rule: Mapping[str, Any]) -> tuple[str, str]:
        column, seconds = self._column(rule["column"], "freshness"), rule["seconds"]
        if family(self.types[column]) is not LogicalType.TIMESTAMPTZ:
            kind = family(self.types[column])
            raise self._wrong(f"freshness needs a timestamptz column, and {column} is a {kind}", "freshness", "column")
        if type(seconds) is not int or seconds <= 0:
            raise self._wrong("`seconds` must be a whole number above 0, such as 86400 for a day", "freshness")
        # A table without rows is not late: whether it should have rows is asked by `volume`.
        sql = (
            f"SELECT MAX({_quoted(column)}) AS newest FROM {self.table} HAVING COUNT({_quoted(column)}) > 0"
            f" AND DATE_DIFF('second', MAX({_quoted(column)}), AS_OF()) > {seconds}"
        )
        return f"freshness({column})", sql

    def _volume(self, rule: object) -> Volume:
        given = self._fields({} if rule is None else rule, "volume", optional={"minimum_runs", "tolerance"})
        runs, share = given.get("minimum_runs", _USUAL.minimum_runs), given.get("tolerance", _USUAL.tolerance)
        if type(runs) is not int or runs < 2:  # noqa: PLR2004 - a deviation needs two counts
            raise self._wrong("`minimum_runs` must be a whole number of at least 2", "volume")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise self._wrong("`tolerance` must lie between 0 and 1, such as 0.5 for half", "volume")
        return Volume(minimum_runs=runs, tolerance=float(share))

    def _rows_where(self, condition: str) -> str:
        return f"SELECT {self._key()} FROM {self.table} WHERE {condition}"

    def _doubled(self, names: Sequence[str]) -> str:
        columns = ", ".join(_quoted(name) for name in names)
        on = " AND ".join(f"own.{_quoted(name)} = doubled.{_quoted(name)}" for name in names)
        return (
            f"SELECT {self._key('own')} FROM {self.table} AS own"
            f" JOIN (SELECT {columns} FROM {self.table} GROUP BY {columns} HAVING COUNT(*) > 1) AS doubled ON {on}"
        )

    def _key(self, alias: str = "") -> str:
        return ", ".join(f"{alias}.{_quoted(name)}" if alias else _quoted(name) for name in self.key)

    def _fields(
        self,
        rule: object,
        kind: str,
        *,
        required: AbstractSet[str] = frozenset(),
        optional: AbstractSet[str] = frozenset(),
    ) -> Mapping[str, Any]:
        known = required | optional
        if not isinstance(rule, dict) or not required <= rule.keys() <= known:
            may = f"; it may have {', '.join(sorted(optional))}" if optional else ""
            must = f"needs {', '.join(sorted(required))}" if required else "takes a mapping"
            raise self._wrong(f"{kind} {must}{may}", kind)
        return rule

    def _columns(self, value: object, kind: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise self._wrong(f"{kind} must be given a list of column names, such as [tenant_id, day]", kind)
        return tuple(self._column(name, kind) for name in value)

    def _column(self, name: object, kind: str) -> str:
        if not isinstance(name, str) or name not in self.types:
            problem = f"the check names {name}, which is not among the columns: {', '.join(self.types)}"
            raise self._wrong(problem, kind)
        return name

    def _text(self, value: object, kind: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(f"`{kind}` must be a text", kind)
        return value.strip()

    def _one_of(self, kind: type[ChoiceT], value: object, part: str) -> ChoiceT:
        choices = {each.value: each for each in kind}
        if not isinstance(value, str) or value not in choices:
            raise self._wrong(f"{part} must be {' or '.join(choices)}, not {value!r}", part)
        return choices[value]

    def _wrong(self, problem: str, *path: Hashable) -> Exception:
        return self.refuse(problem, *self.path, *path)


def _any_null(names: Sequence[str]) -> str:
    return " OR ".join(f"{_quoted(name)} IS NULL" for name in names)


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else identifier(name)
