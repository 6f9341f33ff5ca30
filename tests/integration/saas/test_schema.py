from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import DataError, IntegrityError, connections, transaction
from django.db.migrations.executor import MigrationExecutor

from saas.factories import (
    CustomerFactory,
    EventFactory,
    InvoiceFactory,
    OrderFactory,
    OrderItemFactory,
    ProductFactory,
    SubscriptionFactory,
    TenantFactory,
    UserFactory,
)
from saas.models import Event, Order, Tenant, User
from saas.models.tenant import validate_time_zone
from saas.tenancy.models import TenantOwned
from saas.tenancy.scope import tenant_scope

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_the_migrations_are_complete():
    call_command("makemigrations", "saas", check=True, dry_run=True, stdout=io.StringIO())


@pytest.mark.parametrize("model", [Tenant, *TenantOwned.__subclasses__()])
def test_the_tables_columns_are_in_the_models_order(model: type[Tenant | TenantOwned]):
    with connections["default"].cursor() as cursor:
        columns = [
            column.name
            for column in connections["default"].introspection.get_table_description(cursor, model._meta.db_table)
        ]
    assert columns == [field.column for field in model._meta.local_fields]


@pytest.mark.django_db(databases=["owner"])
def test_the_migrations_go_back_and_forth_again():
    connection = connections["owner"]
    before = _constraints_and_policies()
    with transaction.atomic(using="owner"):
        executor = MigrationExecutor(connection)
        executor.migrate([("saas", "0001_initial")])
        assert "PRIMARY KEY (id)" in str(_constraints_and_policies())
        assert "tenant_isolation" not in str(_constraints_and_policies())
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes("saas"))
        assert _constraints_and_policies() == before


def _constraints_and_policies() -> list[tuple[object, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace UNION ALL "
            "SELECT polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1, 2"
        )
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("make", "constraint"),
    [
        (lambda: ProductFactory(price=Decimal(-1)), "products_money_not_negative"),
        (lambda: ProductFactory(stock_quantity=-1), "products_stock_quantity_check"),
        (lambda: CustomerFactory(country="de"), "customers_country_iso"),
        (lambda: OrderFactory(status="lost"), "orders_status_known"),
        (lambda: OrderFactory(total=1), "orders_total_is_sum"),
        (lambda: OrderFactory(discount=1), "orders_money_not_negative"),
        (lambda: OrderFactory.create_batch(2, number="1"), "orders_tenant_number_unique"),
        (lambda: OrderItemFactory(quantity=0), "order_items_quantity_positive"),
        (lambda: OrderItemFactory(total=0), "order_items_total_is_product"),
        (lambda: EventFactory(event_type="jump"), "events_type_known"),
        (lambda: SubscriptionFactory(billing_period="daily"), "subscriptions_period_known"),
        (lambda: SubscriptionFactory(end_date=date(2000, 1, 1)), "subscriptions_end_after_start"),
        (lambda: InvoiceFactory(status="paid"), "invoices_paid_has_date"),
        (lambda: InvoiceFactory(due_date=date(2000, 1, 1)), "invoices_due_after_issue"),
    ],
)
def test_the_database_holds_the_rules(make: Callable[[], object], constraint: str, tenant: Tenant):
    with tenant_scope(tenant), pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        make()


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"plan": "free"}, "tenants_plan_known"),
        ({"currency": "eur"}, "tenants_currency_iso"),
        ({"slug": "No Slug"}, "tenants_slug_form"),
    ],
)
def test_the_database_holds_the_rules_for_tenants(fields: dict[str, str], constraint: str):
    with pytest.raises(IntegrityError, match=constraint):
        TenantFactory(**fields)


def test_users_sign_in_with_any_spelling_of_their_address():
    user = User.objects.create_user("Ada@Example.com", "secret")
    assert User.objects.get_by_natural_key("ADA@example.com") == user
    assert user.check_password("secret")
    with pytest.raises(IntegrityError, match="users_email_key"), transaction.atomic():
        UserFactory(email="ada@EXAMPLE.com")
    with pytest.raises(IntegrityError, match="users_email_lower_case"), transaction.atomic():
        User(email="Upper@example.com").save()
    with pytest.raises(ValueError, match="needs an email address"):
        User.objects.create_user("")
    assert User.objects.create_superuser("root@example.com", "secret").is_staff


def test_factories_make_rows_that_agree_with_each_other(tenant: Tenant):
    with tenant_scope(tenant):
        order = OrderFactory(items=3)
        totals = [item.total for item in order.items.all()]
        assert len(totals) == 3
        assert order.subtotal == sum(totals) > 0
        assert {
            order.tenant_id,
            order.customer.tenant_id,
            *order.items.values_list("product__tenant_id", flat=True),
        } == {tenant.id}


def test_deleting_a_customer_keeps_the_events(tenant: Tenant):
    with tenant_scope(tenant):
        event = EventFactory()
        event.customer.delete()
        assert Event.objects.get().customer is None


def test_deleting_an_order_takes_its_items_along(tenant: Tenant):
    with tenant_scope(tenant):
        order = OrderFactory(items=2)
        assert order.delete() == (3, {"saas.OrderItem": 2, "saas.Order": 1})
        assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("condition", "index"),
    [
        ("id = 7", "orders_pkey"),
        ("order_date >= '2026-01-01'", "orders_tenant_date"),
        ("customer_id = 7", "orders_tenant_customer"),
        ("number = 'A-7'", "orders_tenant_number_unique"),
    ],
)
def test_a_policy_does_not_keep_queries_from_their_index(condition: str, index: str, tenant: Tenant):
    with tenant_scope(tenant), connections["default"].cursor() as cursor:
        order = OrderFactory()
        cursor.execute(
            "INSERT INTO orders (tenant_id, number, customer_id, status, order_date, subtotal, discount, tax, total, "
            "shipping_address, metadata, created_at, updated_at) "
            "SELECT tenant_id, 'A-' || n, customer_id, status, order_date - n * interval '1 day', subtotal, discount, "
            "tax, total, shipping_address, metadata, created_at, updated_at FROM orders, generate_series(1, 2000) n "
            "WHERE id = %s",
            [order.id],
        )
        cursor.execute(f"EXPLAIN SELECT * FROM orders WHERE {condition}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan
    assert "Index Cond: ((tenant_id = " in plan


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "utc+25"])
def test_a_tenants_time_zone_exists(name: str):
    with pytest.raises(ValidationError, match="is not a time zone"):
        validate_time_zone(name)
    with pytest.raises((DataError, IntegrityError)), transaction.atomic():
        TenantFactory(timezone=name)


def test_every_time_zone_the_model_offers_is_known_to_the_database():
    TenantFactory(timezone="Pacific/Chatham")
    TenantFactory(timezone="America/Argentina/Buenos_Aires")
