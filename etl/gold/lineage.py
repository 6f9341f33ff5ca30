"""Where every number comes from and where it goes, read from the SQL itself.

Nodes are named ``<zone>.<table>`` and ``<zone>.<table>.<column>``, with the zones ``source``,
``silver``, ``gold`` and ``dashboard`` (whose tables are charts, and have no columns). Silver's columns
have their source's names, by contract. A gold column comes from the columns in the expression
that computes it, followed through WITH, subqueries and set operations down to the tables read.

Two kinds of dependence are kept apart: a column whose *value* goes into another, and one that
only decides *which rows* there are (in WHERE, ON, GROUP BY ...), which concerns the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from etl.bronze.layout import CHANGE_SEQ_FIELD, COMMITTED_AT_FIELD
from etl.contracts.table import TableContract
from etl.errors import OperatorError
from etl.gold.model import MODEL_SCHEMA, SILVER_SCHEMA, GoldModel

SOURCE_ZONE = "source"
DASHBOARD_ZONE = "dashboard"
_OWN = {
    COMMITTED_AT_FIELD: "added by replication: when the source committed the row",
    CHANGE_SEQ_FIELD: "added by replication: the order of changes",
}


class NodeUnknownError(OperatorError):
    """The lineage has no such table or column."""

    guidance: ClassVar[str] = "Name a table or a column, such as gold.daily_revenue or gold.daily_revenue.revenue."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who reads gold: a chart of the dashboards."""

    name: str
    title: str
    columns: frozenset[str]
    """Nodes, e.g. ``gold.daily_revenue.revenue``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What one column, or one chart, is computed from."""

    columns: frozenset[str] = frozenset()
    """Nodes whose values go into it."""
    counted: frozenset[str] = frozenset()
    """Tables whose rows it counts, as ``COUNT(*)`` does."""
    reason: str = ""
    """Why it comes from no column of a table, where it does not."""

    def __or__(self, other: Origin) -> Origin:
        reasons = [each for each in dict.fromkeys((self.reason, other.reason)) if each]
        return Origin(
            columns=self.columns | other.columns, counted=self.counted | other.counted, reason=", ".join(reasons)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, or a chart, and its columns."""

    name: str
    title: str
    columns: Mapping[str, Origin]
    """By bare name; a chart has none."""
    inputs: frozenset[str]
    """Tables it is computed from."""
    deciders: frozenset[str] = frozenset()
    """Columns that decide which rows it has."""
    reads: Origin = field(default_factory=Origin)
    """What a chart shows; empty for a table."""

    @property
    def zone(self) -> str:
        """The part of the way it stands on."""
        return self.name.partition(".")[0]


@dataclass(frozen=True)
class Lineage:
    """Every table by its name, each after those it is computed from."""

    tables: Mapping[str, Table]

    @cached_property
    def inputs(self) -> Mapping[str, frozenset[str]]:
        """What each node is directly computed from: columns, or tables whose rows are counted; tables by tables."""
        direct: dict[str, frozenset[str]] = {}
        for name, table in self.tables.items():
            direct[name] = table.reads.columns or table.inputs
            for column, origin in table.columns.items():
                direct[f"{name}.{column}"] = origin.columns | origin.counted
        return direct

    @cached_property
    def outputs(self) -> Mapping[str, frozenset[str]]:
        """What is directly computed from each node; the reverse of `inputs`, with tables standing for tables alone."""
        found: dict[str, set[str]] = {node: set() for node in self.inputs}
        for node, inputs in self.inputs.items():
            for each in inputs:
                found[each].add(node)
        for name, table in self.tables.items():
            for each in table.inputs:
                found[each].add(name)
        return {node: frozenset(each) for node, each in found.items()}

    def origin(self, node: str) -> Origin:
        """Return what a node is computed from, with the reason where that is no column.

        Raises:
            NodeUnknownError: There is no such node.
        """
        self._check(node)
        table, column = self._split(node)
        if column:
            return self.tables[table].columns[column]
        return self.tables[table].reads if self.tables[table].reads.columns else Origin(counted=self.inputs[node])

    def upstream(self, node: str) -> tuple[str, ...]:
        """Return everything a node depends on, nearest first.

        Raises:
            NodeUnknownError: There is no such node.
        """
        return self._walk(node, self.inputs)

    def downstream(self, node: str) -> tuple[str, ...]:
        """Return everything that depends on a node, nearest first.

        Raises:
            NodeUnknownError: There is no such node.
        """
        return self._walk(node, self.outputs)

    def decides(self, node: str) -> tuple[str, ...]:
        """Return the tables whose rows a column, or what is computed from it, helps to decide.

        Raises:
            NodeUnknownError: There is no such node.
        """
        chain = {node, *self.downstream(node)}
        return tuple(name for name, table in self.tables.items() if table.deciders & chain)

    def _walk(self, node: str, edges: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        self._check(node)
        found: dict[str, None] = {}
        front = [node]
        while front:
            front = sorted({each for near in front for each in edges[near] if each not in found and each != node})
            found |= dict.fromkeys(front)
        return tuple(found)

    def _check(self, node: str) -> None:
        if node in self.inputs:
            return
        table, _, column = node.rpartition(".")
        if table in self.tables:
            known = f"{table} has {', '.join(self.tables[table].columns) or 'no columns'}"
            raise NodeUnknownError(f"There is no column {column}: {known}.")
        zone = node.partition(".")[0]
        there = [name for name in self.tables if name.startswith(f"{zone}.")] or [*self.tables]
        raise NodeUnknownError(f"There is no {node}; known are {', '.join(there)}.")

    def _split(self, node: str) -> tuple[str, str]:
        if node in self.tables:
            return node, ""
        table, _, column = node.rpartition(".")
        return table, column


def build_lineage(
    models: Iterable[GoldModel], *, contracts: Iterable[TableContract], readers: Iterable[Reader] = ()
) -> Lineage:
    """Read the lineage of a whole lake from its models, its contracts and its readers.

    Args:
        models: Every gold model; compiled without error, so that every reference is known.
        contracts: The newest recorded contract of every source table.
        readers: Who reads gold.
    """
    tables: dict[str, Table] = {}
    for contract in contracts:
        source, silver = _source_and_silver(contract)
        tables |= {source.name: source, silver.name: silver}
    models = tuple(models)
    schema: dict[str, object] = {
        SILVER_SCHEMA: {name.partition(".")[2]: dict.fromkeys(table.columns, "unknown")
                        for name, table in tables.items() if table.zone == SILVER_SCHEMA},
        MODEL_SCHEMA: {model.name: dict.fromkeys(model.column_names, "unknown") for model in models},
    }  # fmt: skip
    gold = {model.table: _gold(model, schema) for model in models}
    tables |= {name: gold[name] for name in _in_order(gold)}
    for reader in readers:
        name = f"{DASHBOARD_ZONE}.{reader.name}"
        known = frozenset(each for each in reader.columns if each.rpartition(".")[0] in tables)
        inputs = frozenset(each.rpartition(".")[0] for each in known)
        tables[name] = Table(name=name, title=reader.title, columns={}, inputs=inputs, reads=Origin(columns=known))
    return Lineage(tables)


def _source_and_silver(contract: TableContract) -> tuple[Table, Table]:
    bare = contract.table.lake_name
    source = Table(
        name=f"{SOURCE_ZONE}.{bare}",
        title=f"{contract.table} at the source, contract version {contract.version}",
        columns={name: Origin(reason="written by the application") for name in contract.column_names},
        inputs=frozenset(),
    )
    columns = {name: Origin(columns=frozenset({f"{source.name}.{name}"})) for name in contract.column_names}
    own = {name: Origin(reason=reason) for name, reason in _OWN.items()}
    title = f"Current, typed rows of {contract.table}"
    name = f"{SILVER_SCHEMA}.{bare}"
    return source, Table(name=name, title=title, columns=columns | own, inputs=frozenset({source.name}))


def columns_read(query: exp.Query, models: Iterable[GoldModel]) -> frozenset[str]:
    """Return the gold columns that a reader's question reads, as nodes.

    Args:
        query: One SELECT over ``gold.<model>`` tables.
        models: Every gold model.
    """
    return _Trace(
        query, {MODEL_SCHEMA: {model.name: dict.fromkeys(model.column_names, "unknown") for model in models}}
    ).reads()


def _gold(model: GoldModel, schema: dict[str, object]) -> Table:
    trace = _Trace(model.query, schema)
    selected = {each.alias_or_name: trace.output(trace.root, each.alias_or_name) for each in _selects(trace.root)}
    gathered = Origin()
    for origin in selected.values():
        gathered |= origin
    return Table(
        name=model.table,
        title=model.title,
        # A transform carries keys along under their names; whatever else it makes may come from all it is given.
        columns={name: selected.get(name, gathered) for name in model.column_names},
        inputs=trace.tables(),
        deciders=trace.deciders(),
    )


class _Trace:
    """Follows the columns of one query to the tables it reads."""

    def __init__(self, query: exp.Query, schema: dict[str, object]) -> None:
        qualified = qualify(query.copy(), schema=schema, dialect="duckdb", quote_identifiers=False)
        root = build_scope(qualified)
        assert root is not None, "a SELECT has a scope"
        self.root = root
        self._scopes = list(root.traverse())
        self._owner = {id(column): scope for scope in self._scopes for column in scope.columns}
        self._known: dict[tuple[int, str], Origin] = {}

    def output(self, scope: Scope, name: str) -> Origin:
        """Return what an output column of a scope is computed from."""
        key = (id(scope), name)
        if key not in self._known:
            self._known[key] = self._output(scope, name)
        return self._known[key]

    def tables(self) -> frozenset[str]:
        """Return the tables that the query reads, subqueries included."""
        found: set[str] = set()
        for each in self._scopes:
            found |= {_qualified(source) for source in each.sources.values() if isinstance(source, exp.Table)}
        return frozenset(found)

    def deciders(self) -> frozenset[str]:
        """Return the columns of tables that are read outside of every list of outputs."""
        return self._all(lambda column: not _is_output(column))

    def reads(self) -> frozenset[str]:
        """Return every column of a table that the query reads, for whatever purpose."""
        return self._all(lambda _: True)

    def _all(self, is_wanted: Callable[[exp.Column], bool]) -> frozenset[str]:
        found = Origin()
        for scope in self._scopes:
            for column in scope.columns:
                if is_wanted(column):
                    found |= self._column(column)
        return found.columns

    def _output(self, scope: Scope, name: str) -> Origin:
        branches = _branches(scope)
        if branches:
            position = [each.alias_or_name for each in _selects(scope)].index(name)
            origin = Origin()
            for branch in branches:
                origin |= self.output(branch, _selects(branch)[position].alias_or_name)
            return origin
        # A series has no list of outputs: what it gives comes from what its bounds are made of.
        is_series = isinstance(scope.expression, exp.UDTF)
        expression = scope.expression if is_series else _select(scope, name)
        origin = Origin()
        for column in expression.find_all(exp.Column):
            origin |= self._column(column)
        if any(isinstance(star.parent, exp.Count) for star in expression.find_all(exp.Star)):
            origin |= Origin(counted=self._rows(scope))
        if origin == Origin():
            if expression.find(exp.Window):
                return Origin(counted=self._rows(scope))
            moment = any(each.name.upper() == "AS_OF" for each in expression.find_all(exp.Anonymous))
            return Origin(reason="the moment the data stands at" if moment else "a constant")
        return origin

    def _rows(self, scope: Scope) -> frozenset[str]:
        """Return the tables whose rows a scope's FROM and JOINs bring in."""
        found: set[str] = set()
        for _, source in scope.selected_sources.values():
            found |= {_qualified(source)} if isinstance(source, exp.Table) else self._rows(source)
        for branch in _branches(scope):
            found |= self._rows(branch)
        return frozenset(found)

    def _column(self, column: exp.Column) -> Origin:
        owner = self._owner.get(id(column))
        source = owner.sources.get(column.table) if owner else None
        if isinstance(source, exp.Table):
            return Origin(columns=frozenset({f"{_qualified(source)}.{column.name}"}))
        if isinstance(source, Scope):
            return self.output(source, column.name)
        return Origin()


def _branches(scope: Scope) -> tuple[Scope, ...]:
    """Return the sides of a set operation; none for a SELECT."""
    return tuple(scope.set_operation_scopes) if isinstance(scope.expression, exp.SetOperation) else ()


def _selects(scope: Scope) -> list[exp.Expr]:
    """Return a query's output expressions."""
    assert isinstance(scope.expression, exp.Query)
    return list(scope.expression.selects)


def _select(scope: Scope, name: str) -> exp.Expr:
    """Return the output expression of a query by its name."""
    return next(each for each in _selects(scope) if each.alias_or_name == name)


def _is_output(column: exp.Column) -> bool:
    """Tell whether a column stands in the list of outputs of its own SELECT."""
    node: exp.Expr = column
    while node.parent is not None and not isinstance(node.parent, exp.Select):
        node = node.parent
    return node.arg_key == "expressions"


def _qualified(table: exp.Table) -> str:
    return f"{table.db}.{table.name}"


def _in_order(gold: Mapping[str, Table]) -> list[str]:
    """Return the models' tables, each after those it reads."""
    order: list[str] = []

    def place(name: str) -> None:
        if name in order:
            return
        for each in sorted(gold[name].inputs & gold.keys()):
            place(each)
        order.append(name)

    for name in sorted(gold):
        place(name)
    return order
