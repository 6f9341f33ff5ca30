"""From what DMS lands to silver: a real source, files as DMS writes them, the same silver as from our own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from etl.bronze.directory import DirectoryStore
from etl.contracts.table import TableId
from etl.jobs import dms_intake
from etl.jobs.dms_intake import DmsIntake
from etl.jobs.progress import Progress
from etl.ports.job_runner import JobRefusedError
from tests.aws.landing import land_source
from tests.lakes import apply, compare, lake_in, load, silver
from tests.servers import Database

pytestmark = pytest.mark.integration

AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
TABLE = """
    CREATE TABLE things (
        tenant_id bigint NOT NULL, id bigint NOT NULL, name text NOT NULL, note text, price numeric(12,2),
        is_open boolean, made_at timestamptz, day date, ratio double precision, facts jsonb,
        PRIMARY KEY (tenant_id, id)
    );
    CREATE TABLE empties (id bigint PRIMARY KEY);
    GRANT SELECT ON things, empties TO lakeside_replicator;
"""
ROWS = """
    INSERT INTO things
    SELECT 1 + i % 2, i,
           CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN 'comma, "quote"' WHEN 2 THEN E'two\\nlines'
                      WHEN 3 THEN 'NULL' ELSE 'é' END,
           CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '\\N' || i END,
           i * 1.05, i % 2 = 0, TIMESTAMPTZ '2026-01-01 00:00:00.123456+00' + i * INTERVAL '1 hour',
           DATE '2026-01-01' + i, i / 7.0, jsonb_build_object('n', i, 'text', 'a, "b"')
      FROM generate_series(1, 500) AS i
"""


def test_silver_from_dms_is_silver_from_our_own(tmp_path: Path, scratch_database: Callable[[], Database]) -> None:
    database = scratch_database()
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(TABLE)
        owner.execute(ROWS)
    lake = lake_in(tmp_path, database.catalog_url)
    tables = [TableId.parse("things"), TableId.parse("empties")]
    ours = load(lake, database.source_url, ["things", "empties"])
    apply(lake, ours.load_id)
    own_rows = silver(lake, "things").scan().to_arrow().drop_columns(["_change_seq", "_committed_at"])

    landing = DirectoryStore(tmp_path / "landing")
    counted = land_source(landing, database.source_url, tables, at=AT)
    arguments = DmsIntake(
        lake_uri=lake.lake_uri,
        landing_uri=str(tmp_path / "landing"),
        request_id="run-1-replicate-1",
        task="lakeside-dev",
        started_at=AT.isoformat(),
        tables=tuple(map(str, tables)),
        rows=tuple(counted[table] for table in tables),
        source_url=database.source_url,
    )
    progress = Progress()
    taken = dms_intake.run(arguments, progress)
    assert progress.fields == {"rows": {"public.things": 500, "public.empties": 0}}
    assert [(table.table, table.rows) for table in taken.tables] == [("public.things", 500), ("public.empties", 0)]
    applied = apply(lake, taken.load_id)
    assert [(table.rows, table.rejects) for table in applied.tables] == [(500, 0), (0, 0)]
    assert compare(lake, taken.load_id).equal
    dms_rows = silver(lake, "things").scan().to_arrow()
    assert set(dms_rows["_change_seq"].to_pylist()) == {"2026112308300000" + "0" * 19}
    keys = [("tenant_id", "ascending"), ("id", "ascending")]
    assert dms_rows.drop_columns(["_change_seq", "_committed_at"]).sort_by(keys) == own_rows.sort_by(keys)
    assert dms_intake.run(arguments, Progress()).load_id == taken.load_id


def test_tables_and_counts_pair_up(tmp_path: Path) -> None:
    arguments = DmsIntake(
        lake_uri=str(tmp_path),
        landing_uri=str(tmp_path),
        request_id="r",
        task="t",
        started_at=AT.isoformat(),
        tables=("orders",),
        rows=(),
        source_url="postgresql://nobody@127.0.0.1:1/nothing",
    )
    with pytest.raises(JobRefusedError):
        dms_intake.run(arguments, Progress())
