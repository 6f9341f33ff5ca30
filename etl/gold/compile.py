"""All model files together: their references, their order, and the SQL each engine runs.

Everything that can be wrong with a model without its data is found here, before anything
is written. The one thing left is a failing check, see `etl.gold.materialise`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Literal, cast

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify

from etl.contracts.types import LogicalType
from etl.engine.spark_sql import for_spark
from etl.gold.front_matter import parse_query, read_model
from etl.gold.lint import check_portable, line_of
from etl.gold.model import (
    MODEL_SCHEMA,
    SILVER_SCHEMA,
    GoldModel,
    ModelCycleError,
    OutputMismatchError,
    UnknownReferenceError,
)
from etl.gold.shims import expand
from etl.quality.checks import Check

Dialect = Literal["duckdb", "spark", "trino"]

MODELS_FOLDER = Path(__file__).with_name("models")

SilverSchemas = Mapping[str, tuple[str, ...]]
"""Column names of every silver table, by bare table name."""
Known = Mapping[str, tuple[str, ...]]
"""Column names of every table, by qualified name."""


_Texts = dict[tuple[Dialect, datetime], str]
_TEXTS_KEPT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledCheck:
    """A check whose SQL is parsed and portable, and whose every reference is known."""

    check: Check
    query: exp.Query
    inputs: frozenset[str]
    """Qualified names of the tables it reads, the checked one included."""
    _texts: _Texts = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledModel:
    """A model whose every reference is known."""

    model: GoldModel
    inputs: tuple[str, ...]
    """Qualified names of the tables that the SELECT or a check reads, sorted; not the model's own."""
    checks: tuple[CompiledCheck, ...]
    _texts: _Texts = field(default_factory=dict, init=False, repr=False, compare=False)

    def sql(self, dialect: Dialect, *, as_of: datetime) -> str:
        """Return the SELECT whose columns are exactly `GoldModel.selected`, in order and type.

        Engines disagree on result types (``SUM`` of a decimal, ``RANK``), so the declared
        type is cast outside rather than inferred.

        Args:
            dialect: The engine that will run it.
            as_of: Source time at which the data stands.
        """

        def text() -> str:
            declared = [
                exp.cast(exp.column(name), _type_in(logical_type, dialect)).as_(name)
                for name, logical_type in self.model.selected
            ]
            query = _in(dialect, expand(self.model.query, as_of=as_of))
            return exp.select(*declared).from_(query.subquery("model")).sql(dialect, comments=False, pretty=True)

        return _once(self._texts, dialect, as_of, text)


def check_sql(check: CompiledCheck, dialect: Dialect, *, as_of: datetime) -> str:
    """Return the SQL that yields the rows breaking a check."""
    texts = check._texts  # noqa: SLF001 - of this module
    return _once(
        texts, dialect, as_of, lambda: _in(dialect, expand(check.query, as_of=as_of)).sql(dialect, comments=False)
    )


def _once(texts: _Texts, dialect: Dialect, as_of: datetime, write: Callable[[], str]) -> str:
    """Return the text for an engine and a moment, written now unless it was among the last: that takes milliseconds."""
    text = texts.get((dialect, as_of))
    if text is None:
        if len(texts) >= _TEXTS_KEPT:
            texts.clear()
        text = texts[dialect, as_of] = write()
    return text


def load_models(folder: Path = MODELS_FOLDER) -> tuple[GoldModel, ...]:
    """Read every model file of a folder, in name order.

    Raises:
        ModelError: One of them is wrong; the message says where and what to write instead.
    """
    found = ((path, path.stat()) for path in sorted(folder.glob("*.sql")))
    return tuple(_read_once(path, stat.st_mtime_ns, stat.st_size) for path, stat in found)


@lru_cache(maxsize=256)
def _read_once(path: Path, _modified_ns: int, _size_bytes: int) -> GoldModel:
    """Read a model file unless it was read as it is now: long-lived processes load models again and again."""
    return read_model(path)


def compile_models(models: Iterable[GoldModel], *, silver: SilverSchemas) -> tuple[CompiledModel, ...]:
    """Check the models against each other and silver, and put them in an order that can be computed.

    Args:
        models: All models; each may read any other.
        silver: What silver holds.

    Returns:
        The models, each after all models it reads.

    Raises:
        UnknownReferenceError: A table or column does not exist.
        OutputMismatchError: A SELECT's columns are not the declared ones.
        NotPortableError: A check leaves the portable subset.
        ModelSyntaxError: A check is not one SELECT.
        ModelCycleError: Models read each other in a circle.
    """
    by_table = {model.table: model for model in models}
    known = {f"{SILVER_SCHEMA}.{name}": columns for name, columns in silver.items()}
    known |= {table: model.column_names for table, model in by_table.items()}
    compiled = {table: _compile(model, known) for table, model in by_table.items()}
    order = TopologicalSorter(
        {table: [name for name in model.inputs if name in by_table] for table, model in compiled.items()}
    )
    try:
        return tuple(compiled[table] for table in order.static_order())
    except CycleError as error:
        circle = error.args[1]
        first = by_table[circle[0]]
        problem = (
            f"models read each other in a circle ({' -> '.join(circle)}); move the shared part to a model of its own"
        )
        raise ModelCycleError(problem, file=first.file, line=_line_of_reference(first, circle)) from error


def compile_check(check: Check, *, file: str, known: Known) -> CompiledCheck:
    """Parse a check and find everything it names.

    Args:
        check: A check of a model or of a suite.
        file: Where it stands, for messages.
        known: Column names of every table it may read, by qualified name.

    Raises:
        ModelSyntaxError: It is not one SELECT.
        NotPortableError: It leaves the portable subset.
        UnknownReferenceError: A table or column does not exist.
    """
    query = parse_query(check.sql, file=file, line=check.line)
    _shift_lines(query, check.line)
    check_portable(query, file=file)
    inputs = _references(query, file, known)
    _check_columns(query, file, known)
    return CompiledCheck(check=check, query=query, inputs=frozenset(inputs))


def _compile(model: GoldModel, known: Known) -> CompiledModel:
    _check_output(model)
    inputs = _references(model.query, model.file, known)
    _check_columns(model.query, model.file, known)
    if model.table in inputs:
        line = _line_of_reference(model, (model.table,))
        raise ModelCycleError(f"{model.table} reads itself", file=model.file, line=line)
    checks = tuple(compile_check(check, file=model.file, known=known) for check in model.checks)
    for check in checks:
        inputs |= check.inputs - {model.table}
    return CompiledModel(model=model, inputs=tuple(sorted(inputs)), checks=checks)


def _check_output(model: GoldModel) -> None:
    """Compare the SELECT's columns with the declared ones, by name."""
    selected = model.query.selects
    wanted = [name for name, _ in model.selected]
    names = [expression.alias_or_name for expression in selected]
    for expression, name in zip(selected, names, strict=True):
        line = line_of(expression)
        if not name:
            problem = f"give {expression.sql('duckdb')} a name with AS"
            raise OutputMismatchError(problem, file=model.file, line=line)
        if name not in wanted:
            problem = f"column {name} is selected but not described; add it under columns"
            if model.transform:
                problem = f"column {name} is selected but the transform {model.transform} does not take it; remove it"
            raise OutputMismatchError(problem, file=model.file, line=line)
        if names.count(name) > 1:
            raise OutputMismatchError(f"column {name} is selected twice", file=model.file, line=line)
    for name in wanted:
        if name not in names:
            problem = f"column {name} is described but not selected; add it to the SELECT or remove it"
            if model.transform:
                problem = f"the transform {model.transform} needs the column {name}; add it to the SELECT"
            raise OutputMismatchError(problem, file=model.file, line=line_of(model.query))


def _references(query: exp.Query, file: str, known: Known) -> set[str]:
    """Return the qualified tables that ``query`` reads."""
    ctes = {cte.alias for cte in query.find_all(exp.CTE)}
    tables = set()
    for table in query.find_all(exp.Table):
        if not table.db and table.name in ctes:
            continue
        name = f"{table.db}.{table.name}" if table.db else table.name
        if name not in known:
            problem = f"there is no table {name}; known are {', '.join(sorted(known))}"
            raise UnknownReferenceError(problem, file=file, line=line_of(table))
        tables.add(name)
    return tables


def _check_columns(query: exp.Query, file: str, known: Known) -> None:
    tables: dict[str, dict[str, dict[str, str]]] = {SILVER_SCHEMA: {}, MODEL_SCHEMA: {}}
    for table in query.find_all(exp.Table):  # Only those read: sqlglot normalises each anew for every query.
        if table.db:
            tables[table.db][table.name] = dict.fromkeys(known[f"{table.db}.{table.name}"], "unknown")
    schema: dict[str, object] = {db: columns for db, columns in tables.items() if columns}
    try:
        qualify(query.copy(), schema=schema, dialect="duckdb", quote_identifiers=False)
    except OptimizeError as error:
        name, line = _unresolved(query, str(error))
        problem = f"there is no column {name} in the tables read here" if name else str(error)
        raise UnknownReferenceError(problem, file=file, line=line) from error


def _unresolved(query: exp.Query, message: str) -> tuple[str, int]:
    """Return the column that sqlglot's message names and the line of its first use."""
    for column in query.find_all(exp.Column):
        if f"'{column.name}'" in message or message.endswith(f": {column.name}"):
            return column.sql(), line_of(column)
    return "", line_of(query)


def _line_of_reference(model: GoldModel, tables: Iterable[str]) -> int:
    for table in model.query.find_all(exp.Table):
        if f"{table.db}.{table.name}" in set(tables):
            return line_of(table)
    return line_of(model.query)


def _shift_lines(query: exp.Query, first_line: int) -> None:
    """Turn positions in a check's own text into lines of its file."""
    for node in query.walk():
        if "line" in node.meta:
            node.meta["line"] += first_line - 1


def _in(dialect: Dialect, query: exp.Query) -> exp.Query:
    """Return a query that means the same when it is written for an engine."""
    return cast("exp.Query", for_spark(query)) if dialect == "spark" else query


def _type_in(logical_type: str, dialect: Dialect) -> exp.DataType:
    """Return the declared type as the engine spells it; Trino's bare timestamp would drop microseconds."""
    if dialect == "trino" and logical_type == LogicalType.TIMESTAMPTZ:
        return exp.DataType.build("TIMESTAMP(6) WITH TIME ZONE", dialect="trino")
    return exp.DataType.build(logical_type.upper(), dialect="duckdb")
