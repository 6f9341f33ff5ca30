"""Rows reach any sink; the account says which."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

import pytest

from saas.seeding.load import pour
from saas.seeding.manifest import Ledger, Manifest
from saas.seeding.plan import Plan
from saas.seeding.scale import Table, parse_scale
from saas.seeding.sink import NullSink, Write

PLAN = Plan(scale=parse_scale("0.01"), seed=3, as_of=date(2026, 11, 20))


class ListSink:
    """Keeps everything."""

    def __init__(self) -> None:
        self.texts: dict[Table, list[bytes]] = {table: [] for table in Table}

    @contextmanager
    def open(self, table: Table, columns: Sequence[str]) -> Iterator[Write]:
        assert columns[0] == "id"
        yield lambda text: self.texts[table].append(bytes(text))


def account(sink: ListSink | NullSink) -> Manifest:
    ledger = Ledger(PLAN)
    pour(PLAN, sink, ledger)
    return ledger.close(seconds=2.0)


def test_the_account_is_of_what_was_written():
    sink = ListSink()
    manifest = account(sink)
    for table in manifest.tables:
        text = b"".join(sink.texts[table.table])
        assert table.rows == text.count(b"\n") == PLAN.scale.rows[table.table]
        assert table.size_bytes == len(text)


def test_the_sink_makes_no_difference():
    ours, theirs = account(NullSink()), account(ListSink())
    assert [each.sha256 for each in ours.tables] == [each.sha256 for each in theirs.tables]
    assert len({each.sha256 for each in ours.tables}) == len(Table)


def test_the_manifest_as_json():
    manifest = account(NullSink()).as_json()
    tables = manifest.pop("tables")
    assert manifest == {
        "scale": "0.01",
        "factor": "0.01",
        "seed": 3,
        "as_of": "2026-11-20",
        "first_day": "2026-05-20",
        "rows": sum(PLAN.scale.rows.values()),
        "bytes": sum(table["bytes"] for table in tables),
        "seconds": 2.0,
        "rows_per_second": round(sum(PLAN.scale.rows.values()) / 2),
    }
    assert [table["table"] for table in tables] == [str(table) for table in Table]
    assert set(tables[0]) == {"table", "rows", "bytes", "sha256", "seconds", "rows_per_second"}


def test_the_manifest_for_people():
    lines = account(NullSink()).as_lines()
    assert lines[0] == "scale 0.01, seed 3, 2026-05-20 up to 2026-11-20 (excluded)"
    assert [line.split()[0] for line in lines[2:]] == [*Table, "all"]


def test_progress_counts_every_row():
    counted: list[int] = []
    pour(PLAN, NullSink(), Ledger(PLAN), on_rows=counted.append)
    assert sum(counted) == sum(PLAN.scale.rows.values())


def test_an_interruption_passes_through():
    def interrupt(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pour(PLAN, NullSink(), Ledger(PLAN), on_rows=interrupt)
