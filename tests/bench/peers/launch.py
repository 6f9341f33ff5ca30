"""Starts the peers from a benchmark: their own interpreter, their own folder, no telemetry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.bench import common

ENVIRONMENT = common.PROJECT / ".venv-bench"
_HERE = Path(__file__).parent

Backend = Literal["connectorx", "pyarrow", "sqlalchemy"]
Destination = Literal["duckdb", "parquet", "iceberg"]


def require() -> None:
    """Stop with a sentence if the peers are not installed."""
    if not (ENVIRONMENT / "bin" / "dbt").exists():
        raise SystemExit("The peers are not installed: `make bench` creates .venv-bench from requirements-bench.txt.")


def dlt_load(url: str, tables: Sequence[str], *, backend: Backend, destination: Destination, folder: Path) -> float:
    """Copy ``tables`` of schema public into ``folder`` with dlt; return the wall seconds of its process.

    Raises:
        SystemExit: dlt failed; its output is in the message.
    """
    order = {"url": url, "tables": list(tables), "backend": backend, "destination": destination, "folder": str(folder)}
    return _run("dlt", [str(ENVIRONMENT / "bin" / "python"), str(_HERE / "dlt_load.py")], folder, json.dumps(order))


def dbt_build(
    models: Mapping[str, str],
    tables: Sequence[str],
    *,
    destination: Destination,
    folder: Path,
    checks: Mapping[str, str],
) -> float:
    """Build gold models with dbt-duckdb from what `dlt_load` left in ``folder``; return the wall seconds.

    Args:
        models: SELECT in DuckDB's dialect by model name, reading ``silver.<table>`` and ``gold.<model>``.
        tables: The tables below ``silver``.
        destination: Where `dlt_load` put them.
        folder: Its folder; the result is the schema ``gold`` of ``peer.duckdb`` in it.
        checks: SELECT of the rows at fault by the check's name: dbt's singular tests, which warn.

    Raises:
        SystemExit: dbt failed; its output is in the message.
    """
    project = folder / "dbt"
    shutil.copytree(_HERE / "dbt", project)
    _write_sources(project / "models" / "sources.yml", tables, destination, folder)
    for kind, queries in (("models", models), ("tests", checks)):
        (project / kind).mkdir(exist_ok=True)
        for name, select in queries.items():
            (project / kind / f"{name}.sql").write_text(_with_references(select))
    command = [str(ENVIRONMENT / "bin" / "dbt"), "--quiet", "build", "--project-dir", str(project)]
    return _run("dbt", [*command, "--profiles-dir", str(project)], folder)


def compare_rows(url: str, queries: Sequence[Mapping[str, str]], *, folder: Path) -> tuple[float, list[str]]:
    """Compare what `dlt_load` copied with the source, row by row; return the wall seconds, and the tables that differ.

    Args:
        url: The source.
        queries: ``table``, and for each side the query for its numbers: ``source_sql``, ``peer_sql``.
        folder: What `dbt_build` left.

    Raises:
        SystemExit: A query failed.
    """
    order = {"url": url, "database": str(folder / "peer.duckdb"), "tables": list(queries)}
    command = [str(ENVIRONMENT / "bin" / "python"), str(_HERE / "compare_rows.py")]
    seconds, output = _run_for_output("the comparison", command, folder, json.dumps(order))
    return seconds, json.loads(output)


def relation(table: str, *, destination: Destination, folder: Path) -> str:
    """Return a SELECT of what `dlt_load` copied of a table, for DuckDB with ``peer.duckdb`` open."""
    if destination == "duckdb":
        return f"SELECT * FROM silver.{table}"
    # A new folder's Iceberg tables have one snapshot, so their data files are all of it.
    files = "data/**/*.parquet" if destination == "iceberg" else "*.parquet"
    return f"SELECT * FROM read_parquet('{folder}/silver/{table}/{files}')"


def _with_references(select: str) -> str:
    text = re.sub(r"\bsilver\.(\w+)", r"{{ source('silver', '\1') }}", select)
    return re.sub(r"\bgold\.(\w+)", r"{{ ref('\1') }}", text)


def _write_sources(path: Path, tables: Sequence[str], destination: Destination, folder: Path) -> None:
    source: dict[str, object] = {"name": "silver", "schema": "silver", "tables": [{"name": name} for name in tables]}
    if destination != "duckdb":
        # connectorx hands numeric columns over as DECIMAL(38,10); the models' outer casts bring them back.
        copied = relation("{name}", destination=destination, folder=folder)
        source["meta"] = {"external_location": copied.removeprefix("SELECT * FROM ")}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"version": 2, "sources": [source]}))  # JSON is YAML


def _run(name: str, command: Sequence[str], folder: Path, order: str = "") -> float:
    return _run_for_output(name, command, folder, order)[0]


def _run_for_output(name: str, command: Sequence[str], folder: Path, order: str = "") -> tuple[float, str]:
    surroundings = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TZ": "UTC",
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_VERSION_CHECK": "false",
        "PEER_DATABASE": str(folder / "peer.duckdb"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
    done: subprocess.CompletedProcess[str] | None = None

    def work() -> None:
        nonlocal done
        done = subprocess.run(
            command, input=order, text=True, env=surroundings, cwd=folder, capture_output=True, check=False
        )

    seconds = common.timed(work)
    if done is None or done.returncode:
        output = "" if done is None else (done.stdout + done.stderr)[-4000:]
        raise SystemExit(f"{name} failed, so there is nothing to compare with:\n{output}")
    return seconds, done.stdout
