"""The database's own net, met with plain SQL as the application's role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction

from tests.security.shops import TENANT_OWNED, Shop
from tests.servers import Servers

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

_TABLES = [model._meta.db_table for model in TENANT_OWNED]


@contextmanager
def settings(*, tenant_id: int | None = None, user_id: int | None = None) -> Iterator[None]:
    """Set what the policies read, the way an attacker with plain SQL could."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true)",
            [str(tenant_id or ""), str(user_id or "")],
        )
    yield


def rows(sql: str, parameters: list[object] | None = None) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def changed(sql: str, parameters: list[object] | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


@contextmanager
def refused(message: str, error: type[DatabaseError] = ProgrammingError) -> Iterator[None]:
    with pytest.raises(error, match=message), transaction.atomic():
        yield


@pytest.mark.parametrize("table", [*_TABLES, "tenants"])
def test_without_a_tenant_nothing_shows(table: str, ours: Shop):
    with settings():
        assert rows(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("table", _TABLES)
def test_with_a_tenant_its_own_rows_show_and_no_others(table: str, ours: Shop, theirs: Shop):
    with settings(tenant_id=ours.tenant.id):
        assert rows(f"SELECT DISTINCT tenant_id FROM {table}") == [(ours.tenant.id,)]
        assert rows(f"SELECT * FROM {table} WHERE tenant_id = %s", [theirs.tenant.id]) == []


@pytest.mark.parametrize("table", _TABLES)
def test_rows_of_others_cannot_be_changed_or_deleted(table: str, ours: Shop, theirs: Shop):
    with settings(tenant_id=ours.tenant.id):
        assert changed(f"UPDATE {table} SET created_at = now() WHERE tenant_id = %s", [theirs.tenant.id]) == 0
        assert changed(f"DELETE FROM {table} WHERE tenant_id = %s", [theirs.tenant.id]) == 0


@pytest.mark.parametrize("table", _TABLES)
def test_own_rows_cannot_be_given_away(table: str, ours: Shop, theirs: Shop):
    with settings(tenant_id=ours.tenant.id), refused("violates row-level security policy"):
        changed(f"UPDATE {table} SET tenant_id = %s", [theirs.tenant.id])


@pytest.mark.parametrize("table", _TABLES)
def test_rows_cannot_be_inserted_for_others(table: str, ours: Shop, theirs: Shop):
    columns = [
        name
        for (name,) in rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> 'id'", [table]
        )
    ]
    values = ", ".join("%s" if column == "tenant_id" else column for column in columns)
    with settings(tenant_id=ours.tenant.id), refused("violates row-level security policy"):
        changed(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}", [theirs.tenant.id])


@pytest.mark.parametrize("table", [*_TABLES, "tenants", "users"])
def test_truncate_is_refused(table: str, ours: Shop):
    with settings(tenant_id=ours.tenant.id), refused("permission denied"):
        changed(f"TRUNCATE {table} CASCADE")


def test_tenants_show_themselves_and_members_their_tenants(ours: Shop, theirs: Shop):
    with settings(tenant_id=ours.tenant.id):
        assert rows("SELECT id FROM tenants") == [(ours.tenant.id,)]
    owner = next(iter(theirs.members.values()))
    with settings(user_id=owner.id):
        assert rows("SELECT id FROM tenants") == [(theirs.tenant.id,)]
        assert rows("SELECT DISTINCT tenant_id, user_id FROM memberships") == [(theirs.tenant.id, owner.id)]


def test_users_cannot_let_themselves_in_or_raise_their_role(ours: Shop, theirs: Shop):
    viewer = ours.members["viewer"]
    with settings(user_id=viewer.id):
        with refused("violates row-level security policy"):
            changed(
                "INSERT INTO memberships (tenant_id, user_id, role, created_at) VALUES (%s, %s, 'owner', now())",
                [theirs.tenant.id, viewer.id],
            )
        assert changed("UPDATE memberships SET role = 'owner' WHERE user_id = %s", [viewer.id]) == 0
        assert changed("UPDATE tenants SET name = 'mine'") == 0
    with settings(tenant_id=theirs.tenant.id, user_id=viewer.id):
        assert changed("UPDATE memberships SET tenant_id = %s WHERE user_id = %s", [theirs.tenant.id, viewer.id]) == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER TABLE customers DISABLE ROW LEVEL SECURITY", "must be owner"),
        ("DROP POLICY tenant_isolation ON customers", "must be owner"),
        ("ALTER ROLE CURRENT_USER BYPASSRLS", "permission denied|must be superuser"),
        ("SET ROLE lakehouse", "permission denied"),
        ("SET ROLE lakeside_replicator", "permission denied"),
        ("CREATE TABLE public.copies (text text)", "permission denied"),
        ("CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "permission denied"),
        ("SELECT * FROM pg_authid", "permission denied"),
        ("COPY customers TO PROGRAM 'cat'", "permission denied"),
    ],
)
def test_the_role_cannot_lift_its_own_limits(statement: str, message: str, ours: Shop):
    with refused(message):
        changed(statement)


def test_switching_row_security_off_is_an_error_not_a_way_round(ours: Shop):
    with refused("would be affected by row-level security"):
        changed("SET LOCAL row_security = off")
        rows("SELECT * FROM customers")


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("orders", "customer_id", "customer"),
        ("order_items", "order_id", "order"),
        ("order_items", "product_id", "product"),
        ("events", "customer_id", "customer"),
        ("events", "product_id", "product"),
        ("events", "order_id", "order"),
        ("subscriptions", "customer_id", "customer"),
        ("invoices", "customer_id", "customer"),
        ("invoices", "subscription_id", "subscription"),
        ("invoices", "order_id", "order"),
    ],
)
class TestReferencesStayWithinTheTenant:
    """Foreign keys are checked without row-level security: the key itself has to hold."""

    def test_for_the_application(self, table: str, column: str, parent: str, ours: Shop, theirs: Shop):
        stranger = getattr(theirs, parent).id
        with settings(tenant_id=ours.tenant.id), refused("violates foreign key constraint", IntegrityError):
            changed(f"UPDATE {table} SET {column} = %s", [stranger])

    def test_for_the_owner_too(
        self, table: str, column: str, parent: str, servers: Servers, two_committed_shops: tuple[Shop, Shop]
    ):
        ours, theirs = two_committed_shops
        with psycopg.connect(servers.postgres.url) as owner:
            assert owner.execute(f"SELECT count(DISTINCT tenant_id) FROM {table}").fetchone() == (2,)
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                owner.execute(
                    f"UPDATE {table} SET {column} = %s WHERE tenant_id = %s",
                    [getattr(theirs, parent).id, ours.tenant.id],
                )
