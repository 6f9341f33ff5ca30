"""Every route below a tenant's address, with every method, for everybody who is not its member.

The routes come from the resolver and the API's own document: a new one is covered the
day it appears.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.core.cache import cache
from django.db import models
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from saas.factories import UserFactory
from saas.models import Customer, Role, User
from saas.tenancy.managers import TenantManager, TenantQuerySet
from saas.tenancy.models import TenantOwned
from saas.tenancy.scope import all_tenants, tenant_scope
from tests.security.shops import Shop, open_shop

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

_METHODS = ("get", "head", "options", "post", "put", "patch", "trace", "delete")
_ROWS = {
    "customers": "customer",
    "products": "product",
    "orders": "order",
    "order-items": "item",
    "events": "event",
    "subscriptions": "subscription",
    "invoices": "invoice",
}


def _operations() -> dict[str, tuple[str, ...]]:
    """Return the paths of the API's document that are below a tenant, and the methods each has; DELETE last."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return {
        path: tuple(method for method in _METHODS if method in operations)
        for path, operations in paths.items()
        if "{tenant_slug}" in path
    }


def _routes(patterns: list[URLPattern | URLResolver] | None = None, prefix: str = "/") -> Iterator[str]:
    """Yield every route of the project that takes a tenant's slug, as the resolver writes it."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif "tenant_slug" in route:
            yield route


def _entity(path: str) -> str:
    return path.split("/")[4]


def _row_id(entity: str, shop: Shop) -> int:
    return getattr(shop, _ROWS[entity]).id


def _address(path: str, shop: Shop, *, rows_of: Shop | None = None) -> str:
    address = path.replace("{tenant_slug}", shop.slug)
    return address.replace("{id}", str(_row_id(_entity(path), rows_of or shop)))


def _call(client: Client, method: str, address: str, body: object = None) -> Any:
    return client.generic(method.upper(), address, json.dumps(body or {}), content_type="application/json")


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _says(response: Any, canary: str) -> bool:
    """Whether the canary appears anywhere in the answer, headers included."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return canary.encode() in body or canary in str(response.headers)


@pytest.fixture(autouse=True)
def _no_throttle_left_over() -> None:
    cache.clear()


OPERATIONS = _operations()
LISTS = sorted(path for path in OPERATIONS if not path.endswith("{id}/"))
ITEMS = sorted(path for path in OPERATIONS if path.endswith("{id}/"))
PAGES = sorted({re.sub("<[^>]+>", "{}", route) for route in _routes() if not route.startswith("/api/")})


def test_the_document_and_the_resolver_agree_on_the_routes():
    assert {_entity(path) for path in OPERATIONS} == set(_ROWS)
    resolved = [route for route in _routes() if route.startswith("/api/")]
    assert len(resolved) == len(OPERATIONS) == 2 * len(_ROWS)
    assert {OPERATIONS[path] for path in LISTS} == {("get", "post")}
    assert {OPERATIONS[path] for path in ITEMS} == {("get", "put", "patch", "delete")}


@pytest.mark.parametrize("path", OPERATIONS)
def test_members_reach_their_own_rows(path: str, ours: Shop, theirs: Shop):
    """The positive control: the addresses and rows that the tests below use do exist."""
    client = _signed_in(ours.members[Role.OWNER])
    for method in OPERATIONS[path]:
        response = _call(client, method, _address(path, ours))
        assert response.status_code in {
            HTTPStatus.OK,
            HTTPStatus.NO_CONTENT,
            HTTPStatus.BAD_REQUEST,  # The body was empty.
            HTTPStatus.CONFLICT,  # The row is referred to.
        }
        assert not _says(response, theirs.canary)
        assert _says(response, ours.canary) or method != "get" or _entity(path) == "order-items"


@pytest.mark.parametrize("path", OPERATIONS)
def test_to_members_of_another_tenant_nothing_is_there(path: str, ours: Shop, theirs: Shop):
    for role in Role:
        client = _signed_in(theirs.members[role])
        for method in _METHODS:
            response = _call(client, method, _address(path, ours), {"name": "x"})
            assert response.status_code == HTTPStatus.NOT_FOUND
            assert not _says(response, ours.canary)


@pytest.mark.parametrize("path", OPERATIONS)
def test_to_staff_and_strangers_nothing_is_there(path: str, ours: Shop):
    staff = _signed_in(UserFactory(is_staff=True, is_superuser=True))
    stranger = _signed_in(UserFactory())
    for method in _METHODS:
        assert _call(staff, method, _address(path, ours)).status_code == HTTPStatus.NOT_FOUND
        assert _call(stranger, method, _address(path, ours)).status_code == HTTPStatus.NOT_FOUND
        anonymous = _call(Client(), method, _address(path, ours))
        assert anonymous.status_code == HTTPStatus.UNAUTHORIZED
        assert not _says(anonymous, ours.canary)


@pytest.mark.parametrize("page", PAGES)
def test_pages_below_a_tenant_are_for_its_members(page: str, ours: Shop, theirs: Shop):
    address = page.replace("{}", ours.slug, 1).replace("{}", "revenue")
    member = _signed_in(theirs.members[Role.OWNER])
    for method in _METHODS:
        response = _call(member, method, address)
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert not _says(response, ours.canary)
    anonymous = Client().get(address)
    assert (anonymous.status_code, anonymous.headers["Location"]) == (HTTPStatus.FOUND, f"/login/?next={address}")


@pytest.mark.parametrize("path", ITEMS)
def test_another_tenants_ids_do_not_exist_below_ones_own_address(path: str, ours: Shop, theirs: Shop):
    client = _signed_in(ours.members[Role.OWNER])
    body = {"name": "taken over", "number": "taken", "status": "cancelled"}
    for method in OPERATIONS[path]:
        response = _call(client, method, _address(path, ours, rows_of=theirs), body)
        assert response.status_code == HTTPStatus.NOT_FOUND
        assert not _says(response, theirs.canary)
    with tenant_scope(theirs.tenant):
        assert Customer.objects.get().name == theirs.canary


@pytest.mark.parametrize(
    ("entity", "field", "parent"),
    [
        ("orders", "customer", "customer"),
        ("order-items", "order", "order"),
        ("order-items", "product", "product"),
        ("events", "customer", "customer"),
        ("events", "product", "product"),
        ("events", "order", "order"),
        ("subscriptions", "customer", "customer"),
        ("invoices", "customer", "customer"),
        ("invoices", "subscription", "subscription"),
        ("invoices", "order", "order"),
    ],
)
def test_another_tenants_ids_in_a_body_or_filter_do_not_exist(
    entity: str, field: str, parent: str, ours: Shop, theirs: Shop
):
    client = _signed_in(ours.members[Role.OWNER])
    stranger = getattr(theirs, parent).id
    refusal = {field: [f'Invalid pk "{stranger}" - object does not exist.']}
    list_address = f"/api/v1/{ours.slug}/{entity}/"
    item_address = f"{list_address}{_row_id(entity, ours)}/"
    patched = _call(client, "patch", item_address, {field: stranger})
    assert (patched.status_code, patched.json()) == (HTTPStatus.BAD_REQUEST, refusal)
    posted = _call(client, "post", list_address, {field: stranger})
    assert (posted.status_code, posted.json()[field]) == (HTTPStatus.BAD_REQUEST, refusal[field])
    filtered = client.get(list_address, {field: stranger})
    assert filtered.status_code == HTTPStatus.BAD_REQUEST
    assert filtered.json() == refusal or "no such filter" in filtered.json()[field]


def test_a_missing_id_and_another_tenants_id_answer_alike(ours: Shop, theirs: Shop):
    client = _signed_in(ours.members[Role.OWNER])
    missing = client.get(f"/api/v1/{ours.slug}/customers/999999999/")
    foreign = client.get(f"/api/v1/{ours.slug}/customers/{theirs.customer.id}/")
    assert (missing.status_code, missing.content) == (foreign.status_code, foreign.content)


def test_names_may_repeat_across_tenants_so_that_uniqueness_tells_nothing(ours: Shop, theirs: Shop):
    body = {"email": theirs.customer.email, "name": "N", "country": "DE", "city": "Ulm"}
    response = _call(_signed_in(ours.members[Role.OWNER]), "post", f"/api/v1/{ours.slug}/customers/", body)
    assert response.status_code == HTTPStatus.CREATED


def _forget_the_tenant(self: TenantManager[Any]) -> models.QuerySet[Any]:
    """The planted bug: a manager that does not filter."""
    return models.QuerySet(self.model, using=self._db)


@pytest.mark.parametrize("path", LISTS)
def test_if_the_managers_forget_the_tenant_the_database_does_not(
    path: str, ours: Shop, theirs: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(TenantManager, "get_queryset", _forget_the_tenant)
    response = _signed_in(ours.members[Role.OWNER]).get(_address(path, ours))
    assert response.json()["count"] >= 1
    assert not _says(response, theirs.canary)


@pytest.mark.django_db(databases=["owner"])
class TestWithoutRowLevelSecurity:
    """The owner bypasses the database's net: the managers' is left."""

    @pytest.mark.parametrize("model", sorted(TenantOwned.__subclasses__(), key=lambda model: model.__name__))
    def test_the_managers_show_the_tenants_rows_only(self, model: type[TenantOwned]):
        ours, theirs = open_shop("ours", using="owner"), open_shop("theirs", using="owner")
        with tenant_scope(ours.tenant, using="owner"):
            assert {row.tenant_id for row in model.objects.all()} == {ours.tenant.id}
            assert not model.objects.filter(tenant_id=theirs.tenant.id).update(tenant_id=ours.tenant.id)

    def test_without_both_nets_everything_would_show(self, monkeypatch: pytest.MonkeyPatch):
        """So the tests above can fail."""
        ours, theirs = open_shop("ours", using="owner"), open_shop("theirs", using="owner")
        monkeypatch.setattr(TenantManager, "get_queryset", lambda self: TenantQuerySet(self.model, using="owner"))
        with tenant_scope(ours.tenant, using="owner"):
            assert {row.name for row in Customer.objects.all()} == {ours.canary, theirs.canary}
        with all_tenants():
            assert Customer.objects.count() == 2
