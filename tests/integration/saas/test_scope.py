# ruff: noqa: PLW0108 - all refused queries in the same shape
from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import DataError, connection, connections, transaction

from saas.factories import CustomerFactory, MembershipFactory, OrderFactory, TenantFactory, UserFactory
from saas.models import Customer, Membership, Order, SlugTakenError, Tenant
from saas.tenancy.scope import (
    ForeignTenantError,
    Scope,
    UnscopedQueryError,
    all_tenants,
    current_scope,
    tenant_scope,
    user_scope,
)

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def database_scope() -> tuple[str, str]:
    """What PostgreSQL's policies read now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.tenant_id', true), current_setting('app.user_id', true)")
        tenant_id, user_id = cursor.fetchone()
    return tenant_id or "", user_id or ""


@pytest.mark.parametrize(
    "query",
    [
        lambda: Customer.objects.all(),
        lambda: Customer.objects.get(id=1),
        lambda: Customer.objects.filter(id=1).exists(),
        lambda: Customer.objects.count(),
        lambda: Customer.objects.create(email="a@example.com"),
        lambda: Customer.objects.bulk_create([Customer(tenant_id=1, email="a@example.com")]),
        lambda: Customer.objects.get_or_create(email="a@example.com"),
        lambda: Customer.objects.update_or_create(email="a@example.com"),
        lambda: Customer.objects.bulk_update([Customer(id=1, tenant_id=1)], ["name"]),
        lambda: Customer.objects.update(name="x"),
        lambda: Customer.objects.raw("SELECT * FROM customers"),
        lambda: Customer.objects.using("default").first(),
        lambda: Customer(id=1, tenant_id=1).orders.all(),
        lambda: Order(id=1, tenant_id=1, customer_id=1).customer,
        lambda: Customer(tenant_id=1).save(),
        lambda: Customer(id=1, tenant_id=1).save(),
        lambda: Customer(id=1, tenant_id=1).delete(),
        lambda: Customer(id=1, tenant_id=1).refresh_from_db(),
        lambda: Membership.objects.all(),
        lambda: Tenant.objects.all(),
        lambda: Tenant(id=1, slug="a").memberships.count(),
    ],
)
def test_without_a_scope_every_query_is_refused(query: Callable[[], object]):
    with pytest.raises(UnscopedQueryError, match=r"no tenant is in scope: wrap it in `with tenant_scope"):
        query()


def test_in_a_scope_only_its_tenant_shows(tenant: Tenant, other: Tenant):
    with tenant_scope(other):
        CustomerFactory()
    with tenant_scope(tenant):
        mine = CustomerFactory()
        assert list(Customer.objects.all()) == [mine]
        assert list(Tenant.objects.all()) == [tenant]
        assert mine.tenant == tenant
        assert Customer.objects.filter(tenant_id=other.id).count() == 0


def test_the_managers_filter_by_themselves(tenant: Tenant):
    """The first net holds without the second."""
    with tenant_scope(tenant):
        assert f'"customers"."tenant_id" = {tenant.id}' in str(Customer.objects.filter(name="x").query)
        assert f'"customers"."tenant_id" = {tenant.id}' in str(Customer._base_manager.all().query)


def test_the_tenant_is_filled_in(tenant: Tenant):
    with tenant_scope(tenant):
        customer = Customer.objects.create(email="a@example.com", name="A", country="DE", city="Ulm")
        (bulk,) = Customer.objects.bulk_create([Customer(email="b@example.com", name="B", country="DE", city="Ulm")])
    assert (customer.tenant_id, bulk.tenant_id) == (tenant.id, tenant.id)


def test_writing_another_tenants_row_is_refused(tenant: Tenant, other: Tenant):
    with tenant_scope(other):
        theirs = CustomerFactory()
    with tenant_scope(tenant):
        for write in (
            lambda: Customer.objects.create(tenant=other, email="a@example.com"),
            lambda: Customer.objects.bulk_create([Customer(tenant=other, email="a@example.com")]),
            theirs.save,
            theirs.delete,
        ):
            with pytest.raises(ForeignTenantError, match=f"belongs to tenant {other.id}, but tenant {tenant.id}"):
                write()
    with tenant_scope(other):
        assert Customer.objects.count() == 1


def test_scopes_nest_in_python_and_in_the_database(tenant: Tenant, other: Tenant):
    user = UserFactory()
    with user_scope(user):
        with tenant_scope(tenant):
            with tenant_scope(other.id):
                assert current_scope() == Scope(tenant_id=other.id, user_id=user.id)
                assert database_scope() == (str(other.id), str(user.id))
            assert current_scope() == Scope(tenant_id=tenant.id, user_id=user.id)
            assert database_scope() == (str(tenant.id), str(user.id))
        assert database_scope() == ("", str(user.id))
    assert current_scope() == Scope()
    assert database_scope() == ("", "")


def test_a_scope_inside_somebody_elses_transaction_is_taken_back(tenant: Tenant):
    with transaction.atomic():
        with tenant_scope(tenant):
            pass
        assert database_scope() == ("", "")


def divide_in_python() -> None:
    raise ZeroDivisionError


def divide_in_the_database() -> None:
    connection.cursor().execute("SELECT 1/0")


@pytest.mark.parametrize(
    ("fail", "error"), [(divide_in_python, ZeroDivisionError), (divide_in_the_database, DataError)]
)
def test_a_scope_that_fails_is_rolled_back_and_taken_back(
    fail: Callable[[], None], error: type[Exception], tenant: Tenant, other: Tenant
):
    with tenant_scope(tenant):
        with pytest.raises(error), tenant_scope(other):  # noqa: PT012 - what it wrote before is the point
            CustomerFactory()
            fail()
        assert current_scope().tenant_id == tenant.id
        assert database_scope() == (str(tenant.id), "")
    with tenant_scope(other):
        assert Customer.objects.count() == 0


def test_a_scope_marked_for_rollback_leaves_nothing(tenant: Tenant):
    with tenant_scope(tenant):
        with tenant_scope(tenant):
            CustomerFactory()
            transaction.set_rollback(True)
        assert Customer.objects.count() == 0
        assert database_scope() == (str(tenant.id), "")


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_on_the_connection_after_the_transaction():
    tenant = TenantFactory()
    with tenant_scope(tenant):
        CustomerFactory()
    assert database_scope() == ("", "")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM customers")
        assert cursor.fetchone() == (0,)


def test_another_thread_is_outside(tenant: Tenant):
    seen: list[Scope] = []
    with tenant_scope(tenant):
        thread = threading.Thread(target=lambda: seen.append(current_scope()))
        thread.start()
        thread.join()
    assert seen == [Scope()]


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_inherits_the_scope_but_not_its_transaction_is_told_so():
    tenant = TenantFactory()

    def count() -> int:
        try:
            return Customer.objects.count()
        finally:
            connections.close_all()

    with tenant_scope(tenant):
        elsewhere = sync_to_async(count, thread_sensitive=False)  # Copies context variables to another thread.
        with pytest.raises(UnscopedQueryError, match="belongs to another thread"):
            asyncio.run(elsewhere())


def test_a_task_does_not_leak_its_scope(tenant: Tenant):
    async def run() -> Scope:
        await asyncio.create_task(sync_to_async(enter)())
        return current_scope()

    def enter() -> None:
        with tenant_scope(tenant):
            assert current_scope().tenant_id == tenant.id

    assert asyncio.run(run()) == Scope()


def test_a_query_that_outlives_its_scope_is_refused(tenant: Tenant):
    with tenant_scope(tenant):
        CustomerFactory()
        rows = Customer.objects.all()
        stream = (customer.name for customer in rows.iterator())
    for run in (lambda: list(rows), rows.count, rows.exists, rows.first, rows.delete, lambda: next(stream)):
        with pytest.raises(UnscopedQueryError):
            run()


def test_a_generator_opens_a_scope_of_its_own(tenant: Tenant):
    with tenant_scope(tenant):
        name = CustomerFactory().name

    def stream() -> Iterator[str]:
        with tenant_scope(tenant):
            yield from Customer.objects.values_list("name", flat=True)

    assert list(stream()) == [name]
    assert current_scope() == Scope()


def test_the_query_and_its_scope_must_be_on_one_alias(tenant: Tenant):
    with tenant_scope(tenant), pytest.raises(UnscopedQueryError, match="'default' but the query goes to 'owner'"):
        Customer.objects.using("owner").count()


@pytest.mark.django_db(databases=["owner"])
def test_all_tenants_is_for_the_owner():
    for _ in range(2):
        tenant = TenantFactory(using="owner")
        with tenant_scope(tenant, using="owner"):
            Customer.objects.create(email="a@example.com", name="A", country="DE", city="Ulm")
    with all_tenants():
        assert Customer.objects.count() == 2
        assert Tenant.objects.count() == 2
        with pytest.raises(ForeignTenantError):
            Customer(email="b@example.com").save(using="owner")
    assert current_scope() == Scope()


def test_all_tenants_needs_the_owner_to_be_configured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("saas.tenancy.scope.OWNER_ALIAS", "absent")
    with pytest.raises(UnscopedQueryError, match="set DATABASE_URL"), all_tenants():
        pass


def test_a_user_finds_their_memberships_and_tenants_and_nothing_else(tenant: Tenant, other: Tenant):
    user = UserFactory()
    for each in (tenant, other):
        with tenant_scope(each):
            MembershipFactory(user=user)
            MembershipFactory()
            OrderFactory()
    with user_scope(user):
        assert set(Tenant.objects.all()) == {tenant, other}
        assert {membership.tenant_id for membership in Membership.objects.filter(user=user)} == {tenant.id, other.id}
        assert Membership.objects.count() == 2
        with pytest.raises(UnscopedQueryError):
            Order.objects.count()
    with user_scope(UserFactory()):
        assert Tenant.objects.count() == 0


def test_signing_up_makes_a_tenant_as_the_applications_role():
    tenant = Tenant.objects.register(slug="new-shop", name="New shop")
    with tenant_scope(tenant):
        assert Tenant.objects.get().slug == "new-shop"


def test_a_taken_slug_is_refused_and_the_transaction_lives_on(tenant: Tenant):
    with pytest.raises(SlugTakenError, match="'ours' is taken"):
        Tenant.objects.register(slug="ours", name="Again")
    with tenant_scope(tenant):
        assert Tenant.objects.count() == 1
