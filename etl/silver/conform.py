r"""Turn bronze text into typed values, and say which rows cannot be turned.

A value is cast only if its whole text has the form PostgreSQL prints for its type. The
casts alone would not do: engines read ``12.7``, ``1e3`` or ``24:00`` differently, or not
at all. Nothing is rounded, clipped or guessed: a row with such a value is rejected, whole
and with a reason.

The expressions keep to what DuckDB and, through sqlglot, Spark read alike: ``\z`` instead
of ``$`` (Java's ``$`` also matches before a final newline), no hour 24, no year 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD, OLD_KEY_FIELD, OP_FIELD, UNCHANGED_FIELD
from etl.contracts.table import Column, TableContract
from etl.contracts.types import LogicalType, decimal_shape, family
from etl.engine.sql import identifier, literal

REASON_COLUMN = "_reason"

CHANGE_OPERATIONS = frozenset({"I", "U", "D", "T"})
"""Values of ``Op`` in files of changes; T is a truncate."""

_HAS_OLD_KEY = "has old key\n"
"""No field of bronze is called so."""

_DATE = r"(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
_TIMESTAMP = _DATE + r" ([01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
_CHANGE_SEQ = r"[0-9]{35}"

_FORMS: dict[LogicalType, tuple[str, str]] = {
    LogicalType.INTEGER: (r"-?[0-9]{1,10}", "TRY_CAST({text} AS INTEGER)"),
    LogicalType.BIGINT: (r"-?[0-9]{1,19}", "TRY_CAST({text} AS BIGINT)"),
    LogicalType.DOUBLE: (
        r"(-?[0-9]+([.][0-9]+)?(e[+-][0-9]{1,3})?|NaN|-?Infinity)",
        # A number beyond the largest would be read as infinite; only a text that says so is.
        (
            "CASE WHEN {text} IN ('NaN', 'Infinity', '-Infinity') "
            "OR ABS(TRY_CAST({text} AS DOUBLE)) <= 1.7976931348623157e308 THEN TRY_CAST({text} AS DOUBLE) END"
        ),
    ),
    LogicalType.DATE: (_DATE, "TRY_CAST({text} AS DATE)"),
    LogicalType.TIMESTAMP: (_TIMESTAMP, "TRY_CAST({text} AS TIMESTAMP)"),
    # The fastest exact way: read without zone, then call it UTC, the session's zone.
    LogicalType.TIMESTAMPTZ: (_TIMESTAMP + r"([+]00)?", "CAST(TRY_CAST({text} AS TIMESTAMP) AS TIMESTAMPTZ)"),
    LogicalType.BINARY: (r"([0-9a-fA-F]{2})*", "UNHEX({text})"),
}
"""By family: the form of the text, and the cast of text that has it."""

_OTHERS = {
    LogicalType.TEXT: "{text}",
    LogicalType.JSON: "CASE WHEN JSON_VALID({text}) THEN {text} END",
    LogicalType.BOOLEAN: (
        "CASE WHEN LOWER({text}) IN ('true', 't', '1') THEN TRUE "
        "WHEN LOWER({text}) IN ('false', 'f', '0') THEN FALSE END"
    ),
}
"""By family: the whole expression, where a pattern is not the way."""


def typed(name: str, logical_type: str) -> str:
    """Return the SQL expression that casts text column ``name``; NULL where the text has not the type's form.

    ``timestamptz`` text is UTC, with or without ``+00``; the session's time zone has to be UTC.

    Raises:
        ValueError: ``logical_type`` is not a logical type.
    """
    text = identifier(name)
    kind = family(logical_type)
    if kind in _OTHERS:
        return _OTHERS[kind].format(text=text)
    pattern, cast = _decimal_form(logical_type) if kind is LogicalType.DECIMAL else _FORMS[kind]
    return f"CASE WHEN {_matches(text, pattern)} THEN {cast.format(text=text)} END"


def conformed(contract: TableContract, relation: str, *, operations: Collection[str]) -> str:
    """Return a SELECT of every row of a bronze relation, typed.

    Columns: the contract's, ``_committed_at``, ``_change_seq``, and ``_reason``, which is
    NULL in good rows. In a rejected row, values that could not be cast are NULL. Reasons:
    ``bad_op``, ``missing_change_seq``, ``bad_key:<column>``, and, but for deletes, which
    carry only the key, ``missing_or_invalid:<column>`` or ``invalid:<column>``.

    Args:
        contract: The version under which the rows were written.
        relation: The rows as text, to stand after FROM (`etl.bronze.reader.bronze_relation_sql`).
        operations: Values of ``Op`` that are expected, e.g. ``I`` alone in a full load.
    """
    names = [*contract.column_names, COMMITTED_AT_FIELD, CHANGE_SEQ_FIELD]
    reason = f"{_reject_reason(contract, operations)} AS {identifier(REASON_COLUMN)}"
    return f"SELECT {', '.join(map(identifier, names))}, {reason} FROM ({_cast_once(contract, relation)})"


def reasons(contract: TableContract, relation: str, *, operations: Collection[str], keep: Sequence[str]) -> str:
    """Return a SELECT of ``keep``, columns of the bronze relation, and each row's ``_reason``.

    Args:
        contract: The version under which the rows were written.
        relation: The rows as text, to stand after FROM.
        operations: Values of ``Op`` that are expected.
        keep: Columns that are none of the contract's, such as ``filename``.
    """
    reason = f"{_reject_reason(contract, operations)} AS {identifier(REASON_COLUMN)}"
    kept = "".join(f"{identifier(name)}, " for name in keep)
    return f"SELECT {kept}{reason} FROM ({_cast_once(contract, relation, keep=keep)})"


def conformed_changes(contract: TableContract, relation: str, *, keep: Sequence[str] = ()) -> str:
    """Return a SELECT of every row of a bronze relation of changes, typed.

    Columns: ``keep``, ``Op``, the contract's, ``_committed_at``, ``_change_seq``,
    ``_unchanged``, the key before the change (`old_key_columns`, NULL unless it changed)
    and ``_reason``, as `conformed` gives it. ``bad_old_key:<column>`` is one more reason. A
    value that the source did not send again is missed in no row; a truncate is asked for
    nothing but its place.

    Args:
        contract: The version under which the rows were written.
        relation: The rows as text, to stand after FROM (`etl.bronze.reader.bronze_relation_sql`).
        keep: Columns that are none of the contract's, such as ``filename``.
    """
    old_texts = {name: f"{name}\nold text" for name in contract.key}
    old_key = f"TRY_CAST(TRY_CAST({identifier(OLD_KEY_FIELD)} AS JSON) AS MAP(VARCHAR, VARCHAR))"
    texts = ", ".join(f"{old_key}[{literal(name)}] AS {identifier(text)}" for name, text in old_texts.items())
    with_old = f"(SELECT *, {texts} FROM {relation})"
    more = [identifier(UNCHANGED_FIELD), f"{identifier(OLD_KEY_FIELD)} IS NOT NULL AS {identifier(_HAS_OLD_KEY)}"]
    more += [
        f"{typed(old_texts[name], contract.column(name).type)} AS {identifier(old)}"
        for name, old in zip(contract.key, old_key_columns(contract), strict=True)
    ]
    names = [
        *keep,
        OP_FIELD,
        *contract.column_names,
        COMMITTED_AT_FIELD,
        CHANGE_SEQ_FIELD,
        UNCHANGED_FIELD,
        *old_key_columns(contract),
    ]
    reason = f"{_change_reject_reason(contract)} AS {identifier(REASON_COLUMN)}"
    cast = _cast_once(contract, with_old, keep=keep, more=more)
    return f"SELECT {', '.join(map(identifier, names))}, {reason} FROM ({cast})"


def old_key_columns(contract: TableContract) -> tuple[str, ...]:
    """Return the names under which `conformed_changes` gives the key before a change of it."""
    return tuple(f"{name}\nold" for name in contract.key)


def is_unchanged(name: str) -> str:
    """Return the condition under which a column's value was not sent again, because it is large and as before."""
    unchanged = identifier(UNCHANGED_FIELD)
    return f"({unchanged} IS NOT NULL AND LIST_CONTAINS(STRING_SPLIT({unchanged}, ','), {literal(listed(name))}))"


def listed(name: str) -> str:
    """Return a column's name as ``_unchanged`` lists it."""
    return name.replace("%", "%25").replace(",", "%2C")


def latest(contract: TableContract, relation: str) -> str:
    """Return a SELECT of the newest row per key, by change sequence."""
    key = ", ".join(identifier(name) for name in contract.key)
    return (
        f"SELECT * FROM ({relation}) "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {identifier(CHANGE_SEQ_FIELD)} DESC) = 1"
    )


def _matches(text: str, pattern: str) -> str:
    whole = rf"^{pattern}\z"
    return f"REGEXP_MATCHES({text}, {literal(whole)})"


def _decimal_form(logical_type: str) -> tuple[str, str]:
    """Return form and cast of ``decimal(p,s)``: no more digits than declared, on either side of the point."""
    precision, scale = decimal_shape(logical_type)
    pattern = rf"-?[0-9]{{1,{max(precision - scale, 1)}}}"
    if scale:
        pattern += rf"([.][0-9]{{1,{scale}}})?"
    return pattern, f"TRY_CAST({{text}} AS DECIMAL({precision},{scale}))"


def _cast_once(contract: TableContract, relation: str, *, keep: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    """Return a SELECT that casts every value, once: what follows looks at results, not at text again.

    Columns: ``keep``, ``Op``, the change sequence, the typed values under their names,
    for nullable columns that may be refused, whether there was any text, and the expressions ``more``.
    """
    columns = [identifier(name) for name in (*keep, OP_FIELD, CHANGE_SEQ_FIELD)]
    columns.append(f"{typed(COMMITTED_AT_FIELD, LogicalType.TIMESTAMPTZ)} AS {identifier(COMMITTED_AT_FIELD)}")
    for column in contract.columns:
        columns.append(f"{typed(column.name, column.type)} AS {identifier(column.name)}")
        if column.nullable and not _always_good(column):
            columns.append(f"{identifier(column.name)} IS NOT NULL AS {_given(column)}")
    columns += more
    return f"SELECT {', '.join(columns)} FROM {relation}"


def _reject_reason(contract: TableContract, operations: Collection[str]) -> str:
    """Return the SQL expression, over `_cast_once`, for the first reason against a row; NULL for a good one."""
    branches = _place_reasons(operations)
    branches += [f"WHEN {identifier(name)} IS NULL THEN {literal(f'bad_key:{name}')}" for name in contract.key]
    branches += [
        f"WHEN {identifier(OP_FIELD)} <> 'D' AND {_broken(column)} THEN {literal(_reason(column))}"
        for column in contract.columns
        if column.name not in contract.key and not _always_good(column)
    ]
    return f"CASE {' '.join(branches)} END"


def _change_reject_reason(contract: TableContract) -> str:
    """Return the same expression for changes."""
    op, has_old_key = identifier(OP_FIELD), identifier(_HAS_OLD_KEY)
    branches = [*_place_reasons(CHANGE_OPERATIONS), f"WHEN {op} = 'T' THEN NULL"]
    branches += [f"WHEN {identifier(name)} IS NULL THEN {literal(f'bad_key:{name}')}" for name in contract.key]
    branches += [
        f"WHEN {has_old_key} AND {identifier(old)} IS NULL THEN {literal(f'bad_old_key:{name}')}"
        for name, old in zip(contract.key, old_key_columns(contract), strict=True)
    ]
    branches += [
        f"WHEN {op} <> 'D' AND {_broken(column)}"
        f"{'' if column.nullable else f' AND NOT {is_unchanged(column.name)}'} THEN {literal(_reason(column))}"
        for column in contract.columns
        if column.name not in contract.key and not _always_good(column)
    ]
    return f"CASE {' '.join(branches)} END"


def _place_reasons(operations: Collection[str]) -> list[str]:
    """Return the branches that ask what a row does and where it stands among the changes."""
    op, change_seq = identifier(OP_FIELD), identifier(CHANGE_SEQ_FIELD)
    expected = ", ".join(literal(operation) for operation in sorted(operations))
    return [
        f"WHEN {op} IS NULL OR {op} NOT IN ({expected}) THEN 'bad_op'",
        f"WHEN {change_seq} IS NULL OR NOT {_matches(change_seq, _CHANGE_SEQ)} THEN 'missing_change_seq'",
        f"WHEN {identifier(COMMITTED_AT_FIELD)} IS NULL THEN {literal(f'missing_or_invalid:{COMMITTED_AT_FIELD}')}",
    ]


def _always_good(column: Column) -> bool:
    return column.nullable and family(column.type) is LogicalType.TEXT


def _broken(column: Column) -> str:
    """Return the condition under which a column's value is refused."""
    missing = f"{identifier(column.name)} IS NULL"
    return f"{_given(column)} AND {missing}" if column.nullable else missing


def _given(column: Column) -> str:
    """Return the name of the column that tells whether there was any text; no field of bronze is called so."""
    return identifier(f"{column.name}\ngiven")


def _reason(column: Column) -> str:
    return f"{'invalid' if column.nullable else 'missing_or_invalid'}:{column.name}"
