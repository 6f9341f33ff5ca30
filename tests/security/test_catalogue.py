"""What PostgreSQL's own catalogue says of every table, those of tomorrow's migrations included."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

_TENANT_TABLES = """
    SELECT c.oid, c.relname FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
"""
_COLUMNS = """
    ARRAY(SELECT a.attname::text FROM unnest(k.{keys}) WITH ORDINALITY u(attnum, position)
          JOIN pg_attribute a ON a.attrelid = k.{table} AND a.attnum = u.attnum ORDER BY u.position)
"""


def _rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def test_every_tenant_table_is_known_to_this_suite():
    assert {name for _, name in _rows(_TENANT_TABLES)} == {
        "customers",
        "events",
        "invoices",
        "memberships",
        "order_items",
        "orders",
        "products",
        "subscriptions",
    }


def test_every_tenant_table_and_tenants_itself_force_row_level_security():
    unprotected = _rows(
        "SELECT relname FROM pg_class WHERE NOT (relrowsecurity AND relforcerowsecurity) AND (relname = 'tenants' "
        f"OR oid IN (SELECT oid FROM ({_TENANT_TABLES}) t))"
    )
    assert unprotected == []


def test_every_policy_that_lets_write_compares_the_tenant_both_ways():
    policies = _rows(
        "SELECT c.relname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) "
        "FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE p.polcmd <> 'r'"
    )
    tenant = "(NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::bigint"
    assert len(policies) == len(_rows(_TENANT_TABLES)) + 1
    for table, using, check in policies:
        column = "id" if table == "tenants" else "tenant_id"
        assert using == check == f"({column} = {tenant})", table


def test_every_tenant_table_has_the_tenant_in_its_primary_key_and_replica_identity():
    keys = _rows(
        f"SELECT t.relname, {_COLUMNS.format(keys='conkey', table='conrelid')}, c.relreplident "
        f"FROM ({_TENANT_TABLES}) t JOIN pg_class c ON c.oid = t.oid "
        "LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'"
    )
    assert keys
    assert {tuple(columns) for _, columns, _ in keys} == {("tenant_id", "id")}
    assert {identity for *_, identity in keys} == {"d"}  # d: the default, which is the primary key


def test_every_reference_between_tenant_tables_includes_the_tenant():
    references = _rows(
        f"SELECT k.conname, {_COLUMNS.format(keys='conkey', table='conrelid')}, "
        f"{_COLUMNS.format(keys='confkey', table='confrelid')} FROM pg_constraint k "
        f"WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM ({_TENANT_TABLES}) t) "
        f"AND k.confrelid IN (SELECT oid FROM ({_TENANT_TABLES}) t)"
    )
    assert len(references) == 10
    for name, columns, target in references:
        assert columns[0] == "tenant_id", name
        assert target == ["tenant_id", "id"], name


def test_every_reference_column_of_the_models_has_such_a_constraint():
    constrained = {
        (table, columns[-1])
        for table, columns in _rows(
            f"SELECT c.relname, {_COLUMNS.format(keys='conkey', table='conrelid')} FROM pg_constraint k "
            "JOIN pg_class c ON c.oid = k.conrelid WHERE k.contype = 'f'"
        )
    }
    columns = set(
        _rows(
            f"SELECT t.relname, a.attname FROM ({_TENANT_TABLES}) t JOIN pg_attribute a ON a.attrelid = t.oid "
            "WHERE a.attname LIKE '%\\_id' AND a.atttypid = 'bigint'::regtype"
        )
    )
    assert columns <= constrained


def test_every_reference_has_an_index_or_is_rarely_looked_up():
    unindexed = _rows(
        f"SELECT c.relname, {_COLUMNS.format(keys='conkey', table='conrelid')} FROM pg_constraint k "
        "JOIN pg_class c ON c.oid = k.conrelid "
        f"WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM ({_TENANT_TABLES}) t) AND NOT EXISTS ("
        " SELECT FROM pg_index i WHERE i.indrelid = k.conrelid "
        " AND (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)] = k.conkey)"
    )
    # Products with events are switched off, not deleted; an index on 320,000 rows would be kept for nothing.
    assert unindexed == [("events", ["tenant_id", "product_id"])]


def test_the_application_owns_nothing_and_may_read_and_write_rows_only():
    assert _rows("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user") == []
    grants = _rows(
        "SELECT DISTINCT privilege_type FROM pg_class c CROSS JOIN aclexplode(c.relacl) a "
        "WHERE a.grantee = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND c.relkind IN ('r', 'p')"
    )
    assert {grant for (grant,) in grants} == {"SELECT", "INSERT", "UPDATE", "DELETE"}


def test_the_application_has_no_powerful_attribute_or_membership():
    assert _rows(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
        "WHERE rolname = current_user"
    ) == [(False, False, False, False, False)]
    assert (
        _rows("SELECT rolname FROM pg_roles WHERE rolname <> current_user AND pg_has_role(current_user, oid, 'MEMBER')")
        == []
    )


def test_nothing_steps_around_the_policies():
    """Views and functions that run as their owner would; materialized views keep rows of everybody."""
    assert _rows("SELECT relname FROM pg_class WHERE relkind = 'm' AND relnamespace = 'public'::regnamespace") == []
    assert (
        _rows(
            "SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace "
            "AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false)"
        )
        == []
    )
    assert _rows("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace") == []
