"""What the API does for those it serves; who they are is tested in `tests/security`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from saas.factories import (
    CustomerFactory,
    InvoiceFactory,
    MembershipFactory,
    OrderFactory,
    ProductFactory,
    SubscriptionFactory,
    UserFactory,
)
from saas.models import Customer, Order, OrderItem, Role, Tenant
from saas.tenancy.scope import tenant_scope

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

_CUSTOMER = {"email": "ada@example.com", "name": "Ada", "country": "DE", "city": "Ulm"}


class Api:
    """The API as one member sees it."""

    def __init__(self, tenant: Tenant, role: Role) -> None:
        self.client = Client()
        with tenant_scope(tenant):
            self.client.force_login(MembershipFactory(role=role).user)
        self.root = f"/api/v1/{tenant.slug}/"

    def get(self, path: str, status: HTTPStatus = HTTPStatus.OK, *, query: dict[str, object] | None = None) -> Any:
        return self._checked(self.client.get(self.root + path, query or {}), status)

    def send(self, method: str, path: str, body: object, status: HTTPStatus = HTTPStatus.CREATED) -> Any:
        call = getattr(self.client, method)
        return self._checked(call(self.root + path, body, content_type="application/json"), status)

    def delete(self, path: str, status: HTTPStatus = HTTPStatus.NO_CONTENT) -> Any:
        return self._checked(self.client.delete(self.root + path), status)

    @staticmethod
    def _checked(response: Any, status: HTTPStatus) -> Any:
        assert response.status_code == status, response.content
        return response.json() if response.content else None


@pytest.fixture(autouse=True)
def _no_throttle_left_over() -> None:
    cache.clear()


@pytest.fixture
def owner(tenant: Tenant) -> Api:
    return Api(tenant, Role.OWNER)


def test_a_customer_from_cradle_to_grave(owner: Api, tenant: Tenant):
    made = owner.send("post", "customers/", _CUSTOMER)
    path = f"customers/{made['id']}/"
    assert made["phone"] is None
    assert owner.get(path) == made
    assert owner.send("patch", path, {"city": "Köln"}, HTTPStatus.OK)["city"] == "Köln"
    assert owner.send("put", path, {**_CUSTOMER, "name": "Ada L."}, HTTPStatus.OK)["name"] == "Ada L."
    owner.delete(path)
    owner.get(path, HTTPStatus.NOT_FOUND)
    with tenant_scope(tenant):
        assert not Customer.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_viewers_and_analysts_read_only(role: Role, tenant: Tenant):
    with tenant_scope(tenant):
        customer = CustomerFactory()
    api = Api(tenant, role)
    assert api.get("customers/")["count"] == 1
    path = f"customers/{customer.id}/"
    for refusal in (
        api.send("post", "customers/", _CUSTOMER, HTTPStatus.FORBIDDEN),
        api.send("put", path, _CUSTOMER, HTTPStatus.FORBIDDEN),
        api.send("patch", path, _CUSTOMER, HTTPStatus.FORBIDDEN),
        api.delete(path, HTTPStatus.FORBIDDEN),
    ):
        assert refusal == {"detail": "Only an owner may change this."}


def test_an_order_adds_up(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        customer, product = CustomerFactory(), ProductFactory()
    order = owner.send("post", "orders/", {"number": "A-1", "customer": customer.id, "tax": "1.90"})
    assert order["total"] == "1.90"
    line = {"order": order["id"], "product": product.id, "quantity": 3, "unit_price": "10.00", "discount": "5.00"}
    item = owner.send("post", "order-items/", line)
    assert item["total"] == "25.00"
    owner.send("post", "order-items/", {**line, "quantity": 1})
    owner.send("patch", f"orders/{order['id']}/", {"discount": "2.00"}, HTTPStatus.OK)
    assert _amounts(owner, order) == ("30.00", "2.00", "1.90", "29.90")
    owner.send("patch", f"order-items/{item['id']}/", {"quantity": 1}, HTTPStatus.OK)
    assert _amounts(owner, order) == ("10.00", "2.00", "1.90", "9.90")
    owner.delete(f"order-items/{item['id']}/")
    assert _amounts(owner, order) == ("5.00", "2.00", "1.90", "4.90")


def _amounts(api: Api, order: dict[str, Any]) -> tuple[str, ...]:
    now = api.get(f"orders/{order['id']}/")
    return now["subtotal"], now["discount"], now["tax"], now["total"]


def test_moving_an_item_sums_up_both_orders(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        source, target = OrderFactory(items=1), OrderFactory()
        item = source.items.get()
    owner.send("patch", f"order-items/{item.id}/", {"order": target.id}, HTTPStatus.OK)
    with tenant_scope(tenant):
        source.refresh_from_db()
        target.refresh_from_db()
    assert (source.total, target.total) == (Decimal(0), item.total)


def test_an_item_that_the_discount_needs_cannot_go(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        order = OrderFactory(items=1)
        order.discount = order.subtotal
        order.derive_total()
        order.save()
        item = order.items.get()
    refusal = owner.delete(f"order-items/{item.id}/", HTTPStatus.BAD_REQUEST)
    assert refusal == {"non_field_errors": ["The discount is higher than the items' total."]}
    with tenant_scope(tenant):
        assert OrderItem.objects.filter(id=item.id).exists()


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("customers/", {"email": "no address"}, {"email": ["Enter a valid email address."]}),
        ("customers/", {"country": "de"}, {"country": ["Use the two capital letters of ISO 3166."]}),
        ("customers/", {"name": ""}, {"name": ["This field may not be blank."]}),
        ("customers/", {"name": "a\x00b"}, {"name": ["Null characters are not allowed."]}),
        ("customers/", {"metadata": {"a": "\x00"}}, {"non_field_errors": ["A value cannot be stored."]}),
        ("products/", {"price": "-0.01"}, {"price": ["Ensure this value is greater than or equal to 0."]}),
        ("products/", {"stock_quantity": -1}, {"stock_quantity": ["Ensure this value is greater than or equal to 0."]}),
        ("orders/", {"customer": 10**30}, {"customer": [f'Invalid pk "{10**30}" - object does not exist.']}),
        ("orders/", {"status": "lost"}, {"status": ['"lost" is not a valid choice.']}),
        ("orders/", {"discount": "1"}, {"non_field_errors": ["The discount is higher than the items' total."]}),
        ("order-items/", {"quantity": 0}, {"quantity": ["Ensure this value is greater than or equal to 1."]}),
        (
            "order-items/",
            {"discount": "900"},
            {"non_field_errors": ["The discount is higher than the price of the pieces."]},
        ),
        (
            "subscriptions/",
            {"end_date": "2025-12-31"},
            {"non_field_errors": ["The subscription ends before it starts."]},
        ),
        ("invoices/", {"due_date": "2025-12-31"}, {"non_field_errors": ["The invoice is due before it is issued."]}),
        (
            "invoices/",
            {"status": "paid"},
            {"non_field_errors": ["A paid invoice needs the date it was paid."]},
        ),
    ],
)
def test_bad_input_is_named(path: str, body: dict[str, object], refusal: object, owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        order = OrderFactory()
        product = ProductFactory()
    good: dict[str, dict[str, object]] = {
        "customers/": _CUSTOMER,
        "products/": {"sku": "S", "name": "P", "category": "C", "price": "2", "cost": "1"},
        "orders/": {"number": "A-1", "customer": order.customer_id},
        "order-items/": {"order": order.id, "product": product.id, "quantity": 1, "unit_price": "2"},
        "subscriptions/": {
            "customer": order.customer_id,
            "plan": "plus",
            "monthly_amount": "9",
            "start_date": "2026-01-01",
        },
        "invoices/": {
            "number": "I-1",
            "customer": order.customer_id,
            "amount": "9",
            "issue_date": "2026-01-01",
            "due_date": "2026-01-15",
        },
    }
    assert owner.send("post", path, {**good[path], **body}, HTTPStatus.BAD_REQUEST) == refusal
    owner.send("post", path, good[path])  # The rest was right, and the failure left no trace.


def test_what_exists_already_is_named(owner: Api):
    owner.send("post", "customers/", _CUSTOMER)
    refusal = owner.send("post", "customers/", _CUSTOMER, HTTPStatus.BAD_REQUEST)
    assert refusal == {"non_field_errors": ["There is already a customer with this email address."]}


def test_what_is_still_referred_to_stays(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        customer = CustomerFactory()
        OrderFactory(customer=customer)
        SubscriptionFactory(customer=customer)
    refusal = owner.delete(f"customers/{customer.id}/", HTTPStatus.CONFLICT)
    assert refusal == {"detail": "It is still referred to by orders and subscriptions."}


def test_fields_that_follow_from_others_cannot_be_sent(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        order = OrderFactory(items=1)
    body = {"id": 1, "tenant": 2, "tenant_id": 2, "subtotal": "0", "total": "0", "created_at": "2020-01-01T00:00:00Z"}
    answer = owner.send("patch", f"orders/{order.id}/", body, HTTPStatus.OK)
    assert (answer["id"], answer["total"]) == (order.id, str(order.total))
    with tenant_scope(tenant):
        stored = Order.objects.get()
    assert (stored.tenant_id, stored.created_at) == (tenant.id, order.created_at)


def test_lists_come_in_pages_newest_first(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        ids = [customer.id for customer in CustomerFactory.create_batch(5)]
    page = owner.get("customers/", query={"limit": 2, "offset": 2})
    assert (page["count"], [row["id"] for row in page["results"]]) == (5, [ids[2], ids[1]])
    assert len(owner.get("customers/", query={"limit": 100000})["results"]) == 5


def test_lists_are_filtered_and_sorted(owner: Api, tenant: Tenant):
    with tenant_scope(tenant):
        first, second, third = (
            InvoiceFactory(issue_date=issued, status=status, number=str(number), amount=amount)
            for number, (issued, status, amount) in enumerate(
                [
                    (date(2026, 1, 1), "open", Decimal(5)),
                    (date(2026, 2, 1), "draft", Decimal(9)),
                    (date(2026, 3, 1), "open", Decimal(5)),
                ]
            )
        )
    assert _ids(owner, status="open") == [third.id, first.id]
    assert _ids(owner, customer=second.customer_id) == [second.id]
    assert _ids(owner, due_from="2026-02-15", due_before="2026-03-15") == [second.id]
    assert _ids(owner, ordering="-amount") == [second.id, first.id, third.id]


def _ids(api: Api, **query: object) -> list[int]:
    return [row["id"] for row in api.get("invoices/", query=query)["results"]]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ({"statu": "open"}, "There is no such filter. This list has: number, customer"),
        ({"tenant": "1"}, "There is no such filter"),
        ({"customer__email": "a"}, "There is no such filter"),
        ({"status": "lost"}, "is not a valid choice"),
        ({"due_from": "soon"}, "Date has wrong format"),
        ({"customer": "1"}, "object does not exist"),
        ({"ordering": "customer__email"}, "This list sorts by: id, number, issue_date, due_date, amount."),
    ],
)
def test_an_unknown_filter_is_refused_not_ignored(query: dict[str, object], refusal: str, owner: Api):
    assert refusal in str(owner.get("invoices/", HTTPStatus.BAD_REQUEST, query=query))


def test_forged_requests_are_refused(tenant: Tenant):
    client = Client(enforce_csrf_checks=True)
    with tenant_scope(tenant):
        client.force_login(MembershipFactory().user)
    response = client.post("/api/v1/ours/customers/", _CUSTOMER, content_type="application/json")
    assert response.status_code == HTTPStatus.FORBIDDEN


def test_only_json_is_read_and_written(owner: Api):
    response = owner.client.post("/api/v1/ours/customers/", _CUSTOMER)
    assert response.status_code == HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    page = owner.client.get("/api/v1/ours/customers/", headers={"Accept": "text/html"})
    assert page.status_code == HTTPStatus.NOT_ACCEPTABLE


def test_the_apis_document_leaves_nothing_out(capsys: pytest.CaptureFixture[str]):
    call_command("spectacular", validate=True, fail_on_warn=True)
    assert "cookieAuth" in capsys.readouterr().out


def test_the_api_describes_itself_to_those_signed_in(client: Client):
    assert client.get("/api/v1/schema/").status_code == HTTPStatus.UNAUTHORIZED
    client.force_login(UserFactory())
    document = client.get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    assert "/api/v1/{tenant_slug}/order-items/{id}/" in document["paths"]
    names = {each["name"] for each in document["paths"]["/api/v1/{tenant_slug}/orders/"]["get"]["parameters"]}
    assert {"tenant_slug", "limit", "offset", "ordering", "status", "ordered_from"} <= names
