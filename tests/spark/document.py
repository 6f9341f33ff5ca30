"""docs/parity.md: which engine made the same of the same, as the commands saw it last."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.bench.common import PROJECT

PAGE = PROJECT / "docs/parity.md"
_FIGURES = PROJECT / "docs/parity.json"

_HEAD = """# Parity: what each engine makes of the same data

Written by `make test-spark` and `make test-trino`; do not edit. Each command makes bronze from
generated data ({scale} scale), has the engine do what DuckDB does, and compares every row and every
column of every table. Numbers of type double are held equal to twelve digits, because sums depend
on the order of their terms; everything else is held equal as it is.
"""

_TAIL = """
What else `make test-spark` holds: both lakes' snapshots name the same load, watermark and contract;
Spark computes no model anew in the lake that DuckDB wrote, nor DuckDB in Spark's; a second load
that each engine brings into the other's lake gives equal tables again. Rows marked *what its
transform takes* are those that a Python step is given.

Not covered: Athena and AWS Glue themselves, Spark on S3, changes applied by Spark (only DuckDB
applies them), and tables larger than this scale.
"""


def write_spark(version: str, scale: str, tables: Mapping[str, tuple[int, int]], problems: Sequence[str]) -> None:
    """Record what Spark did."""
    _write("spark", {"version": version, "scale": scale, "tables": tables, "problems": [*problems]})


def write_trino(version: str, scale: str, tables: Mapping[str, tuple[int, int]], problems: Sequence[str]) -> None:
    """Record what Trino did."""
    _write("trino", {"version": version, "scale": scale, "tables": tables, "problems": [*problems]})


def _write(engine: str, found: Mapping[str, object]) -> None:
    figures = json.loads(_FIGURES.read_text()) if _FIGURES.exists() else {}
    figures[engine] = found
    _FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(json.loads(_FIGURES.read_text())))


def page(figures: Mapping[str, dict[str, object]]) -> str:
    """Return the page's text."""
    spark, trino = (figures.get(engine, {}) for engine in ("spark", "trino"))
    lines = [_HEAD.format(scale=(spark or trino)["scale"])]
    lines.append(f"| table | rows | differing on Spark{_v(spark)} | differing on Trino{_v(trino)} |")
    lines.append("|---|---:|---:|---:|")
    names = sorted({*_tables(spark), *_tables(trino)})
    for name in names:
        rows = (_tables(spark).get(name) or _tables(trino)[name])[0]
        cells = [str(_tables(each)[name][1]) if name in _tables(each) else "not run" for each in (spark, trino)]
        lines.append(f"| {name} | {rows:,} | {' | '.join(cells)} |")
    problems = [str(each) for engine in (spark, trino) for each in engine.get("problems", ())]  # type: ignore[attr-defined]
    if problems:
        lines += ["", "What was not as it should be:", "", *(f"- {each}" for each in problems)]
    return "\n".join(lines) + "\n" + _TAIL


def _v(engine: Mapping[str, object]) -> str:
    return f" {engine['version']}" if engine else ""


def _tables(engine: Mapping[str, object]) -> Mapping[str, Sequence[int]]:
    found = engine.get("tables", {})
    assert isinstance(found, dict)
    return found
