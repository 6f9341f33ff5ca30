"""What must be true of a lake, found out by other means than the product's.

Events come from a second slot, read by PostgreSQL's own ``test_decoding``; bronze is read with
the standard library; silver and gold with pyiceberg, from the pointers in the catalog. Of the
product, only the full computation of a gold model is used, to hold the incremental one against.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import duckdb
import psycopg
import pyarrow as pa
from pyiceberg.table import StaticTable

from etl.engine.durable import DurableFileIO  # noqa: F401 - named in tables' metadata
from etl.gold.compile import compile_models
from etl.gold.compute import compute
from tests.fault.processes import gold_models
from tests.fault.traffic import TABLES

WITNESS = "witness"
_FEW = 5
_CHANGE = re.compile(r"table (.*?): ([A-Z]+):")
_AS_TEXT = {"jsonb", "uuid", "character"}
_LSN_DIGITS = 20

Event = tuple[int, int, str, str]
"""End of its transaction in the log, number in the transaction, table, operation."""


@dataclass
class Verdict:
    """What was counted, and what is wrong."""

    events: int = 0
    lost: int = 0
    doubled: int = 0
    publications: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Take in what was found out later."""
        self.events += other.events
        self.lost += other.lost
        self.doubled += other.doubled
        self.publications += other.publications
        self.problems += other.problems


def watch(source: psycopg.Connection) -> None:
    """Have PostgreSQL keep every change from now on for `witnessed`."""
    source.execute("SELECT pg_create_logical_replication_slot(%s, 'test_decoding')", [WITNESS])


def witnessed(source: psycopg.Connection) -> Iterator[Event]:
    """Yield every change of the shops' tables that was committed since the last time, in order."""
    rows = source.execute(
        "SELECT lsn - '0/0'::pg_lsn, data FROM pg_logical_slot_get_changes(%s, NULL, NULL, 'include-xids', '0')",
        [WITNESS],
    )
    waiting: list[tuple[str, str]] = []
    for lsn, line in rows:
        if line == "BEGIN":
            waiting = []
        elif line == "COMMIT":
            yield from ((int(lsn), number, table, op) for number, (table, op) in enumerate(waiting, start=1))
        elif match := _CHANGE.match(line):
            tables = [name.removeprefix("public.") for name in match[1].split(", ")]
            waiting += [(table, match[2][0]) for table in tables if table in TABLES]


class Bronze:
    """Reads what a replicator landed, flush by flush, and remembers how far it has read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.load_lsn, self.position = 0, 0

    def begin(self) -> None:
        """Find the load that the changes continue."""
        (load,) = [json.loads(path.read_text()) for path in sorted((self._root / "_manifests" / "loads").iterdir())]
        self.load_lsn = self.position = load["lsn"]

    def read(self, problems: list[str]) -> list[Event]:
        """Return the changes of the flushes since the last time; add what is wrong with the files."""
        events: list[Event] = []
        for path in sorted((self._root / "_manifests" / "changes").rglob("*.json")):
            if int(path.stem, 16) <= self.position:
                continue
            manifest = json.loads(path.read_text())
            if manifest["previous_lsn"] != self.position:
                problems.append(f"{path.name} does not continue from the flush before it")
            self.position = manifest["last_lsn"]
            here = [event for file in manifest["files"] for event in self._events(file, problems)]
            events += sorted(here)
        return events

    def strangers(self) -> list[str]:
        """Return the files of changes that no manifest names."""
        named = {
            file["key"]
            for path in (self._root / "_manifests" / "changes").rglob("*.json")
            for file in json.loads(path.read_text())["files"]
        }
        there = {str(path.relative_to(self._root)) for path in self._root.rglob("*.csv.gz")}
        return sorted(key for key in there - named if not Path(key).name.startswith("LOAD"))

    def _events(self, file: Mapping[str, object], problems: list[str]) -> Iterator[Event]:
        data = (self._root / str(file["key"])).read_bytes()
        if (len(data), hashlib.sha256(data).hexdigest()) != (file["size_bytes"], file["sha256"]):
            problems.append(f"{file['key']} is not what its manifest says")
        csv.field_size_limit(2**31 - 1)
        names, *rows = csv.reader(io.StringIO(gzip.decompress(data).decode(), newline=""))
        if len(rows) != file["rows"]:
            problems.append(f"{file['key']} has {len(rows)} rows, its manifest says {file['rows']}")
        op, seq = names.index("Op"), names.index("_change_seq")
        table = file["table"]
        assert isinstance(table, dict)
        for row in rows:
            yield int(row[seq][:_LSN_DIGITS]), int(row[seq][_LSN_DIGITS:]), str(table["name"]), row[op]


def compare_events(expected: Sequence[Event], found: Sequence[Event]) -> Verdict:
    """Hold bronze's changes against the witness's, by their place in the log."""
    wanted, here = Counter(expected), Counter(found)
    lost, doubled = wanted - here, here - wanted
    verdict = Verdict(events=len(expected), lost=lost.total(), doubled=doubled.total())
    for name, events in (("lost", lost), ("doubled or never committed", doubled)):
        if events:
            verdict.problems.append(f"{events.total()} events {name}, such as {sorted(events)[:_FEW]}")
    if not verdict.problems and list(expected) != list(found):
        verdict.problems.append("the events of bronze are in another order")
    return verdict


def compare_silver(source: psycopg.Connection, catalog: psycopg.Connection, problems: list[str]) -> dict[str, pa.Table]:
    """Hold every row of silver against the source's; return silver's tables."""
    found = {}
    for name in TABLES:
        columns = source.execute(
            "SELECT column_name::text, data_type::text FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
            [name],
        ).fetchall()
        texts = [f"{column}::text" if kind in _AS_TEXT else column for column, kind in columns]
        expected = Counter(source.execute(f"SELECT {', '.join(texts)} FROM {name}".encode()).fetchall())
        rows = found[name] = _current(catalog, "silver", name).scan().to_arrow()
        here = Counter(tuple(row[column] for column, _ in columns) for row in rows.to_pylist())
        if expected != here:
            problems.append(
                f"silver.{name} is not the source's: {(expected - here).total()} rows are missing, "
                f"{(here - expected).total()} are there and should not be, "
                f"such as {_short([*(expected - here), *(here - expected)])}"
            )
    return found


def compare_gold(publication: Mapping[str, object], silver: Mapping[str, pa.Table], problems: list[str]) -> None:
    """Hold what a publication pins against computing everything from silver's rows."""
    as_of, pins = publication["as_of"], publication["pins"]
    assert isinstance(as_of, datetime)
    assert isinstance(pins, list)
    pinned = {pin["table"]: pin for pin in pins}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA silver; CREATE SCHEMA gold")
        for name, rows in silver.items():
            connection.register("given", rows)
            connection.execute(f"CREATE TABLE silver.{name} AS SELECT * FROM given")
        columns = {name: tuple(rows.column_names) for name, rows in silver.items()}
        for compiled in compile_models(gold_models(), silver=columns):
            model = compiled.model
            compute(connection, compiled, as_of=as_of)
            names = ", ".join(model.column_names)
            expected = connection.execute(f"SELECT {names} FROM {model.table}").to_arrow_table().to_pylist()
            pin = pinned.get(model.table)
            if pin is None:
                problems.append(f"{model.table} is not in the publication")
                continue
            if pin["as_of"] is not None:
                problems.append(f"{model.table} stands at {pin['as_of']}, the publication at {as_of.isoformat()}")
                continue
            here = read_pin(pin).select(list(model.column_names)).to_pylist()
            wanted, got = Counter(map(_rounded, expected)), Counter(map(_rounded, here))
            if wanted != got:
                problems.append(
                    f"{model.table} is not what computing everything gives: {(wanted - got).total()} rows are missing, "
                    f"{(got - wanted).total()} are there and should not be, "
                    f"such as {_short([*(wanted - got), *(got - wanted)])}"
                )


def check_publications(rows: Sequence[Mapping[str, object]], problems: list[str]) -> None:
    """Hold publications against each other and each against itself: one version, and readers never go back."""
    numbers = [row["number"] for row in rows]
    if numbers != list(range(1, len(rows) + 1)):
        problems.append(f"publications are not numbered one after another: {numbers[-_FEW:]}")
    problems += [
        f"publication {after['number']} takes readers back: {moves}"
        for before, after in pairwise(rows)
        for moves in ("source_lsn", "as_of")
        if before[moves] > after[moves]  # type: ignore[operator]
    ]


def check_consistent(row: Mapping[str, object], problems: list[str]) -> None:
    """Hold tables of one publication against each other: revenue by day is the summary's revenue."""
    pins = row["pins"]
    assert isinstance(pins, list)
    pinned = {pin["table"]: pin for pin in pins}
    days, summary = pinned.get("gold.daily_revenue"), pinned.get("gold.tenant_summary")
    if days is None or summary is None or days["as_of"] or summary["as_of"]:
        return
    with duckdb.connect() as connection:
        connection.register("days", read_pin(days))
        connection.register("summary", read_pin(summary))
        differing = connection.execute(
            "SELECT tenant_id, days.revenue, summary.revenue"
            " FROM (SELECT tenant_id, SUM(revenue) AS revenue FROM days GROUP BY tenant_id) AS days"
            " FULL JOIN summary USING (tenant_id)"
            " WHERE COALESCE(days.revenue, 0) <> COALESCE(summary.revenue, 0)"
        ).fetchall()
    if differing:
        problems.append(f"publication {row['number']} mixes versions of silver: {differing[:_FEW]}")


def read_pin(pin: Mapping[str, object]) -> pa.Table:
    """Read a pinned table as any reader of Iceberg does."""
    table = StaticTable.from_metadata(str(pin["metadata_location"]))
    return table.scan(snapshot_id=int(str(pin["snapshot_id"]))).to_arrow()


def _current(catalog: psycopg.Connection, namespace: str, name: str) -> StaticTable:
    row = catalog.execute(
        "SELECT metadata_location FROM lake.iceberg_tables WHERE (table_namespace, table_name) = (%s, %s)",
        [namespace, name],
    ).fetchone()
    assert row is not None, f"{namespace}.{name} does not exist"
    return StaticTable.from_metadata(row[0])


def _rounded(row: Mapping[str, object]) -> tuple[object, ...]:
    """Return a row's values; sums of doubles differ in their last digits by the order of the rows."""
    return tuple(f"{value:.9g}" if isinstance(value, float) else repr(value) for value in row.values())


def _short(rows: Iterable[object]) -> str:
    return "; ".join(str(row)[:300] for row in list(rows)[:2])
