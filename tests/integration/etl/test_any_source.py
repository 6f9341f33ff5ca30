"""A schema that nobody here wrote replicates by being named: into bronze, into typed silver, equal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config import env
from etl.contracts.source import open_source
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.tables import load_table
from etl.quality.live import LakeLayer, LiveReport
from etl.replicate.preflight import all_problems
from etl.replicate.replicator import resync
from tests.integration.etl.conftest import Source
from tests.integration.etl.replication import config_of, fresh_database, serving
from tests.integration.etl.test_live import World

pytestmark = pytest.mark.integration

TABLES = (
    "Front Desk.Patient",
    "Front Desk.Visits by day",
    "lab.sample",
    "lab.result",
    "lab.reading",
    'lab."device.log, v2"',
    "countries",
)


def clinic(part: str) -> str:
    """Return SQL of a clinic's database that nobody here wrote for a lake."""
    return (Path(__file__).parent / "clinic" / f"{part}.sql").read_text()


@pytest.fixture
def source() -> Iterator[Source]:
    owner_url = env.load().database_url
    assert owner_url is not None
    with fresh_database(owner_url) as database:
        database.execute(clinic("schema"))
        yield database


def findings(report: LiveReport) -> list[object]:
    return [(each.table, each.bronze, each.silver) for each in report.tables if not each.equal]


def columns(world: World, table: str) -> dict[str, str]:
    with open_catalog(world.lake) as catalog:
        return {field.name: str(field.field_type) for field in load_table(catalog, f"silver.{table}").schema().fields}


def test_a_foreign_schema_is_carried_whole(source: Source, tmp_path: Path):
    source.execute(clinic("rows"))
    world = World.of(source, tmp_path)
    with serving(config_of(source, *TABLES), world.store, tmp_path) as running:
        running.catch_up(source)
        assert running.status.tables == ()
        world.load()
        assert findings(world.compare(*TABLES)) == []
        source.execute(clinic("changes"))
        assert findings(world.compare(*TABLES)) == [], "with the changes that silver lacks"
        world.bring_silver()
        source.execute(clinic("alterations"))
        source.execute(clinic("changes_after"))
        running.catch_up(source)
        world.bring_silver()
        assert findings(world.compare(*TABLES)) == []
        assert running.status.tables == ()
        # A rewritten table's new column: which values older rows have was not sent, and is not guessed.
        source.execute(
            "ALTER TABLE lab.result ADD weight int DEFAULT 3; ALTER TABLE lab.result ALTER weight TYPE bigint"
        )
        source.execute("UPDATE lab.result SET weight = 4 WHERE test = 'ph'")
        (result,) = world.compare("lab.result").tables
        assert result.first_different is LakeLayer.BRONZE
        assert "weight" in result.bronze.problem
        resync(config_of(source, *TABLES), world.store, [TableId.parse("lab.result")])
        world.load()
        assert findings(world.compare(*TABLES)) == []
    assert columns(world, "Front_x20_Desk__Patient") == {
        "Patient Id": "string",
        "Family Name": "string",
        "Group No": "int",
        'full "name"': "string",
        "born": "date",
        "e-mail": "string",
        "country": "string",
        "balance": "string",
        "is_active": "boolean",
        "home": "string",
        "notes": "string",
        "blood type": "string",
        "_committed_at": "timestamptz",
        "_change_seq": "string",
    }
    assert columns(world, "lab__device_x2E_log_x2C__x20_v2")["select"] == "string"
    assert columns(world, "lab__reading")["level"] == "decimal(5, 1)"


def test_what_cannot_be_carried_is_refused_with_the_reason_and_what_mends_it(source: Source):
    source.execute(
        """
        CREATE TABLE lab.log (at timestamptz, text text);
        CREATE TABLE lab.price (id int PRIMARY KEY, "list price" money);
        CREATE TABLE lab.mixed (id int PRIMARY KEY, "Name" text, name text);
        CREATE TABLE lab__mixed (id int PRIMARY KEY);
        CREATE TABLE lab.area (side int PRIMARY KEY, square int GENERATED ALWAYS AS (side * side) VIRTUAL);
        CREATE VIEW lab.latest AS SELECT * FROM lab.sample;
        CREATE TABLE lab.later (id int PRIMARY KEY DEFERRABLE);
        CREATE UNLOGGED TABLE lab.passing (id int PRIMARY KEY);
        """
    )
    names = ("lab.log", "lab.price", "lab.mixed", "lab__mixed", "lab.area", "lab.latest", "lab.later", "lab.passing")
    with closing(open_source(source.url)) as connection:
        tables = [TableId.parse(name) for name in names]
        problems = all_problems(connection, tables, slot="lakeside_any", publication="lakeside_any")
    found = {str(problem.table): str(problem) for problem in problems if problem.table is not None}
    assert found.keys() == {str(table) for table in tables}
    for name, part in {
        "lab.log": 'ALTER TABLE "lab"."log" ADD PRIMARY KEY',
        "lab.price": 'ALTER COLUMN "list price" TYPE numeric(19,2)',
        "lab.mixed": "RENAME COLUMN",
        "public.lab__mixed": "lab__mixed in the lake",
        "lab.area": "Make them STORED",
        "lab.latest": "is a view",
        "lab.later": "REPLICA IDENTITY FULL",
        "lab.passing": "SET LOGGED",
    }.items():
        assert part in found[name], name
