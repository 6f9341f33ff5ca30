import re

import psycopg
import pytest

from etl.contracts.source import check_source, open_source, read_contracts
from etl.contracts.table import TableId
from etl.ports.replicator import SourceNotReadyError, SourceUnavailableError, UnsupportedColumnError
from tests.integration.etl.conftest import Source

pytestmark = pytest.mark.integration


def contract(source: Source, name: str):
    with open_source(source.url) as connection:
        return read_contracts(connection, [TableId.parse(name)])[0]


def logical_type(source: Source, column: str, before: str = "") -> str:
    source.execute(f"{before}; CREATE TABLE subject (id bigint PRIMARY KEY, c {column})")
    return contract(source, "subject").column("c").type


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("smallint", "integer"),
        ("integer", "integer"),
        ("bigint", "bigint"),
        ("oid", "bigint"),
        ("boolean", "boolean"),
        ("real", "double"),
        ("double precision", "double"),
        ("numeric(12,2)", "decimal(12,2)"),
        ("numeric(5)", "decimal(5,0)"),
        ("numeric(38,38)", "decimal(38,38)"),
        ("numeric(5,-2)", "decimal(7,0)"),
        ("numeric(3,5)", "decimal(5,5)"),
        ("numeric(39,2)", "text"),
        ("numeric(37,-2)", "text"),
        ("numeric", "text"),
        ("date", "date"),
        ("timestamp(3)", "timestamp"),
        ("timestamptz", "timestamptz"),
        ("time", "text"),
        ("interval", "text"),
        ("char(3)", "text"),
        ("varchar(10)", "text"),
        ("text", "text"),
        ("uuid", "text"),
        ("inet", "text"),
        ("integer[]", "text"),
        ("tstzrange", "text"),
        ("tsvector", "text"),
        ("json", "json"),
        ("jsonb", "json"),
        ("bytea", "binary"),
        ("bigint GENERATED ALWAYS AS (id * 2) STORED", "bigint"),
    ],
)
def test_a_type_of_the_source_has_its_meaning_in_the_lake(source: Source, column: str, expected: str):
    assert logical_type(source, column) == expected


@pytest.mark.parametrize(
    ("domain", "expected", "nullable"),
    [
        ("numeric(12,2)", "decimal(12,2)", True),
        ("boolean NOT NULL", "boolean", False),
        ("text CHECK (VALUE <> '')", "text", True),
        ("integer[]", "text", True),
    ],
)
def test_a_domain_means_what_lies_beneath(source: Source, domain: str, expected: str, *, nullable: bool):
    before = f"CREATE DOMAIN inner_domain AS {domain}; CREATE DOMAIN outer_domain AS inner_domain"
    assert logical_type(source, "outer_domain", before) == expected
    column = contract(source, "subject").column("c")
    assert column.source_type == "public.outer_domain"
    assert column.nullable is nullable


@pytest.mark.parametrize(
    "type_", ["mood AS ENUM ('happy', 'sad')", "mood AS (a integer, b text)", "mood AS RANGE (subtype = integer)"]
)
def test_a_type_of_the_owner_travels_as_text(source: Source, type_: str):
    assert logical_type(source, "mood", f"CREATE TYPE {type_}") == "text"


def test_money_is_refused_with_the_sql_that_mends_it(source: Source):
    with pytest.raises(UnsupportedColumnError, match="TYPE numeric") as refusal:
        logical_type(source, "money")
    source.execute(str(refusal.value).partition("Run: ")[2])
    assert contract(source, "subject").column("c").type == "decimal(19,2)"


def test_columns_stand_in_physical_order_without_the_dropped_ones(source: Source):
    source.execute(
        "CREATE TABLE subject (z text, gone text, a text, id bigint PRIMARY KEY); ALTER TABLE subject DROP COLUMN gone;"
        "ALTER TABLE subject ADD COLUMN added_last integer NOT NULL DEFAULT 0"
    )
    found = contract(source, "subject")
    assert [(column.name, column.attnum) for column in found.columns] == [
        ("z", 1),
        ("a", 3),
        ("id", 4),
        ("added_last", 5),
    ]
    assert [column.nullable for column in found.columns] == [True, True, False, False]


def test_the_key_stands_in_key_order_without_included_columns(source: Source):
    source.execute(
        "CREATE TABLE subject (id bigint, note text, tenant_id bigint, PRIMARY KEY (tenant_id, id) INCLUDE (note))"
    )
    assert contract(source, "subject").key == ("tenant_id", "id")


def test_odd_identifiers_are_found_as_they_are_written(source: Source):
    source.execute(
        'CREATE SCHEMA "My ""Schema"; '
        'CREATE TABLE "My ""Schema"."Order, Lines" ("The Id" bigint PRIMARY KEY, "ä.b" text)'
    )
    table = TableId(schema='My "Schema', name="Order, Lines")
    with open_source(source.url) as connection:
        check_source(connection, [table])
        (found,) = read_contracts(connection, [table])
    assert found.table == table
    assert found.column_names == ("The Id", "ä.b")


def test_contracts_come_in_the_order_asked(source: Source):
    source.execute("CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (id bigint PRIMARY KEY)")
    tables = [TableId.parse("b"), TableId.parse("a")]
    with open_source(source.url) as connection:
        assert [found.table for found in read_contracts(connection, tables)] == tables


@pytest.mark.parametrize("columns", ['"Name" text, name text', "op text", '"_CHANGE_SEQ" text', "filename text"])
def test_names_the_lake_cannot_tell_apart_are_refused(source: Source, columns: str):
    source.execute(f"CREATE TABLE subject (id bigint PRIMARY KEY, {columns})")
    with pytest.raises(UnsupportedColumnError, match="RENAME COLUMN"):
        contract(source, "subject")


def test_the_fingerprint_does_not_depend_on_the_sessions_defaults(source: Source):
    source.execute(
        "CREATE DOMAIN price AS numeric(12,2); "
        "CREATE TABLE subject (id bigint PRIMARY KEY, at timestamptz, price price)"
    )
    before = contract(source, "subject").fingerprint
    database = source.execute("SELECT current_database()")[0][0]
    source.execute(
        f"ALTER DATABASE {database} SET search_path = public; ALTER DATABASE {database} SET timezone = 'EST'"
    )
    try:
        assert contract(source, "subject").fingerprint == before
    finally:
        source.execute(f"ALTER DATABASE {database} RESET ALL")


class TestPreFlight:
    """What `check_source` finds, and that the SQL it gives really mends it."""

    def problem(self, url: str, *tables: str) -> str:
        with open_source(url) as connection, pytest.raises(SourceNotReadyError) as refusal:
            check_source(connection, [TableId.parse(table) for table in tables])
        return str(refusal.value)

    def passes(self, url: str, *tables: str) -> None:
        with open_source(url) as connection:
            check_source(connection, [TableId.parse(table) for table in tables])

    def test_everything_missing_is_said_at_once_and_mended_by_the_sql_given(self, source: Source, role: str):
        source.execute("CREATE TABLE a (id bigint PRIMARY KEY); ALTER TABLE a ENABLE ROW LEVEL SECURITY")
        source.execute("CREATE SCHEMA shop; CREATE TABLE shop.b (id bigint)")
        url = source.url_of(role, role)
        message = self.problem(url, "a", "shop.b")
        assert "may not replicate" in message
        assert "may not read public.a" in message
        assert "may not read shop.b" in message
        assert "shop.b has no primary key" in message
        assert "hides rows of public.a" in message
        for mends in re.findall(r"(?:ALTER ROLE|GRANT) [^;]*", message):
            source.execute(mends)
        source.execute('ALTER TABLE "shop"."b" ADD PRIMARY KEY (id)')
        self.passes(url, "a", "shop.b")

    def test_forced_row_security_hides_rows_from_the_owner_too(self, source: Source, role: str):
        source.execute(
            f"ALTER ROLE {role} REPLICATION; CREATE TABLE a (id bigint PRIMARY KEY); ALTER TABLE a OWNER TO {role}"
        )
        source.execute("ALTER TABLE a ENABLE ROW LEVEL SECURITY")
        url = source.url_of(role, role)
        self.passes(url, "a")
        source.execute("ALTER TABLE a FORCE ROW LEVEL SECURITY")
        assert f'ALTER ROLE "{role}" BYPASSRLS' in self.problem(url, "a")

    def test_a_missing_table_is_named(self, source: Source):
        assert "no table public.nowhere" in self.problem(source.url, "nowhere")

    @pytest.mark.parametrize(
        ("kind", "statement"),
        [
            ("view", "CREATE VIEW v AS SELECT 1 AS id"),
            ("materialized view", "CREATE MATERIALIZED VIEW v AS SELECT 1 AS id"),
        ],
    )
    def test_only_tables_are_replicated(self, source: Source, kind: str, statement: str):
        source.execute(statement)
        assert f"public.v is a {kind}" in self.problem(source.url, "v")

    def test_a_name_is_not_sql(self, source: Source):
        source.execute("CREATE TABLE a (id bigint PRIMARY KEY)")
        assert "no table" in self.problem(source.url, "a; DROP TABLE a")
        self.passes(source.url, "a")


def test_a_source_that_does_not_answer_is_unavailable_and_keeps_the_password_to_itself():
    with pytest.raises(SourceUnavailableError) as refusal:
        open_source("postgresql://someone:hunter2@127.0.0.1:1/nowhere")
    assert "hunter2" not in str(refusal.value)


def test_what_is_no_url_is_said_without_repeating_it():
    with pytest.raises(SourceNotReadyError, match="LAKEHOUSE_SOURCE_URL") as refusal:
        open_source("postgresql://someone:hunter2@[broken/nowhere")
    assert "hunter2" not in str(refusal.value)


def test_a_wrong_password_is_said(source: Source, role: str):
    with pytest.raises(SourceUnavailableError, match="password authentication failed") as refusal:
        open_source(source.url_of(role, "hunter2"))
    assert "hunter2" not in str(refusal.value)


def test_a_session_that_was_ended_is_unavailable(source: Source):
    connection = open_source(source.url)
    source.execute(f"SELECT pg_terminate_backend({connection.info.backend_pid}, 5000)")
    with pytest.raises(SourceUnavailableError):
        check_source(connection, [])
    connection.close()


def test_a_session_refuses_to_read_past_row_security(source: Source, role: str):
    source.execute(
        f"CREATE TABLE a (id bigint PRIMARY KEY); ALTER TABLE a ENABLE ROW LEVEL SECURITY; GRANT SELECT ON a TO {role}"
    )
    with (
        open_source(source.url_of(role, role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"),
    ):
        connection.execute("SELECT * FROM public.a")
