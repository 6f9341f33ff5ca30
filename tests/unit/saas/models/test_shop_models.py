from __future__ import annotations

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, models

from saas.models import Customer, Order, OrderItem, Product, Tenant, User
from saas.tenancy.models import TenantOwned

_TENANT_OWNED = TenantOwned.__subclasses__()


def test_an_orders_total_follows_from_its_amounts():
    order = Order(subtotal=Decimal("100.00"), discount=Decimal("10.00"), tax=Decimal("17.10"))
    order.derive_total()
    assert order.total == Decimal("107.10")


def test_an_items_total_follows_from_its_amounts():
    item = OrderItem(quantity=3, unit_price=Decimal("19.99"), discount=Decimal("5.00"))
    item.derive_total()
    assert item.total == Decimal("54.97")


@pytest.mark.parametrize("model", _TENANT_OWNED)
def test_every_tenant_owned_table_starts_with_id_and_tenant(model: type[TenantOwned]):
    assert [field.column for field in model._meta.local_fields[:2]] == ["id", "tenant_id"]


@pytest.mark.parametrize("model", [*_TENANT_OWNED, Tenant])
def test_even_django_itself_asks_through_the_refusing_manager(model: type[models.Model]):
    assert model._base_manager.name == model._default_manager.name == "objects"


@pytest.mark.parametrize("model", [*_TENANT_OWNED, Tenant])
def test_money_is_decimal_and_times_are_aware(model: type[models.Model]):
    for field in model._meta.local_fields:
        assert not isinstance(field, models.FloatField)
        if isinstance(field, models.DecimalField):
            assert (field.max_digits, field.decimal_places) == (12, 2)
        if field.name.endswith("_at"):
            assert isinstance(field, models.DateTimeField)


def test_codes_have_a_fixed_length():
    assert Customer._meta.get_field("country").db_type(connection) == "char(2)"
    assert Tenant._meta.get_field("currency").db_type(connection) == "char(3)"


@pytest.mark.parametrize(("field", "value"), [("price", Decimal("-0.01")), ("cost", Decimal(10_000_000_000))])
def test_money_has_bounds(field: str, value: Decimal):
    with pytest.raises(ValidationError):
        Product._meta.get_field(field).clean(value, None)


def test_email_addresses_are_kept_in_lower_case():
    user = User(email="  Ada@Example.COM ", name="Ada Lovelace")
    user.clean()
    assert (user.email, user.get_full_name(), user.get_short_name()) == ("ada@example.com", "Ada Lovelace", "Ada")
    assert User(email="ada@example.com").get_full_name() == "ada@example.com"


@pytest.mark.parametrize("slug", ["Shop", "a b", "-a", "a-", "a--b", "ä", "a_b", ""])
def test_slugs_fit_into_addresses(slug: str):
    with pytest.raises(ValidationError):
        Tenant._meta.get_field("slug").clean(slug, None)
