"""Which gold columns each chart reads: the dashboards' end of the lineage (`etl.gold.lineage`).

Taken from the charts' own questions, so it cannot fall behind them. A chart that was declared
over a model says itself which columns it asks for; the ``draw`` of any other calls functions of
`dashboards.metrics`, and the SQL of these is literal text, as its type demands.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import FunctionType

from dashboards.metrics.definitions import models
from dashboards.metrics.revenue import revenue_by_day
from dashboards.metrics.summary import tenant_summary
from dashboards.pages.registry import CHARTS
from etl.gold.front_matter import parse_query
from etl.gold.lineage import Reader, columns_read

_METRICS = "dashboards.metrics."
_KEY_FIGURES = (revenue_by_day, tenant_summary)
"""What the figures above the charts are made of."""


@cache
def dashboard_readers() -> tuple[Reader, ...]:
    """Return every chart and the gold columns it reads (`settings.GOLD_READERS`)."""
    charts = [
        Reader(name=chart.name, title=chart.title, columns=chart.reads or _columns(_metrics_called(chart.draw)))
        for chart in CHARTS.values()
    ]
    return (Reader(name="key-figures", title="Key figures", columns=_columns(_KEY_FIGURES)), *charts)


def _columns(functions: Iterable[Callable[..., object]]) -> frozenset[str]:
    columns: set[str] = set()
    for function in functions:
        for sql in _questions(function):
            columns |= columns_read(parse_query(sql, file=function.__module__), models())
    return frozenset(columns)


def _metrics_called(function: Callable[..., object]) -> Iterator[Callable[..., object]]:
    """Yield the functions of `dashboards.metrics` that ``function`` names, and those that these name in turn."""
    assert isinstance(function, FunctionType)
    for name in function.__code__.co_names:
        called = function.__globals__.get(name)
        if isinstance(called, FunctionType) and called.__module__.startswith(_METRICS):
            yield called
            yield from _metrics_called(called)


def _questions(function: Callable[..., object]) -> Iterator[str]:
    """Yield the SQL that ``function`` asks through ``rows("SELECT ...")``."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        match node:
            case ast.Call(func=ast.Attribute(attr="rows"), args=[ast.Constant(value=str(sql)), *_]):
                yield sql
