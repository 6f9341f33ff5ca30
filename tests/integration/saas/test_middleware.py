"""The middleware around views of its own, which tell what scope they run in."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.test import Client
from django.urls import path

from config.urls import urlpatterns as project_urls
from saas.factories import CustomerFactory, MembershipFactory, UserFactory
from saas.models import Customer, Role, Tenant, User
from saas.tenancy.middleware import TenantRequest
from saas.tenancy.scope import Scope, UnscopedQueryError, current_scope, tenant_scope

pytestmark = [pytest.mark.integration, pytest.mark.django_db, pytest.mark.urls(__name__)]


def tell(request: TenantRequest, tenant_slug: str) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.tenant_id', true)::bigint")
        (in_database,) = cursor.fetchone()
    return JsonResponse(
        {
            "slug": request.tenant.slug,
            "role": request.membership.role,
            "user": request.membership.user_id,
            "python": current_scope().tenant_id,
            "database": in_database,
            "customers": Customer.objects.count(),
        }
    )


def write(request: HttpRequest, tenant_slug: str, status: int) -> HttpResponse:
    CustomerFactory()
    return HttpResponse(status=status)


def write_and_raise(request: HttpRequest, tenant_slug: str) -> HttpResponse:
    CustomerFactory()
    raise Http404


def template(request: HttpRequest, tenant_slug: str) -> TemplateResponse:
    response = TemplateResponse(request, "unused.html")
    response.resolve_template = lambda _: type("Lazy", (), {"render": lambda *_: str(Customer.objects.count())})()
    return response


def stream(request: HttpRequest, tenant_slug: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(customer.name for customer in Customer.objects.all().iterator())


def scoped_stream(request: TenantRequest, tenant_slug: str) -> StreamingHttpResponse:
    def names() -> Iterator[str]:
        with tenant_scope(request.tenant):
            yield from Customer.objects.values_list("name", flat=True)

    return StreamingHttpResponse(names())


def elsewhere(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"python": current_scope().tenant_id, "tenant": hasattr(request, "tenant")})


urlpatterns = [
    path("t/<slug:tenant_slug>/", tell),
    path("api/v1/<slug:tenant_slug>/", tell),
    path("t/<slug:tenant_slug>/write/<int:status>/", write),
    path("t/<slug:tenant_slug>/raise/", write_and_raise),
    path("t/<slug:tenant_slug>/template/", template),
    path("t/<slug:tenant_slug>/stream/", stream),
    path("t/<slug:tenant_slug>/scoped-stream/", scoped_stream),
    path("elsewhere/", elsewhere),
    *project_urls,  # The error pages link to the project's own.
]


@pytest.fixture
def member(tenant: Tenant) -> User:
    user = UserFactory()
    with tenant_scope(tenant):
        MembershipFactory(user=user, role=Role.ANALYST)
    return user


@pytest.fixture
def signed_in(client: Client, member: User) -> Client:
    client.force_login(member)
    return client


def customers_of(tenant: Tenant) -> int:
    with tenant_scope(tenant):
        return Customer.objects.count()


def test_a_members_view_runs_in_the_tenants_scope(signed_in: Client, member: User, tenant: Tenant, other: Tenant):
    for each, count in ((tenant, 1), (other, 2)):
        with tenant_scope(each):
            CustomerFactory.create_batch(count)
    assert signed_in.get("/t/ours/").json() == {
        "slug": "ours",
        "role": "analyst",
        "user": member.id,
        "python": tenant.id,
        "database": tenant.id,
        "customers": 1,
    }
    assert current_scope() == Scope()


@pytest.mark.parametrize("slug", ["theirs", "no-such-shop", "OURS"])
@pytest.mark.parametrize("prefix", ["/t/", "/api/v1/"])
def test_for_everybody_else_the_address_does_not_exist(prefix: str, slug: str, signed_in: Client, other: Tenant):
    response = signed_in.get(f"{prefix}{slug}/")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert (response.headers["Content-Type"] == "application/json") == (prefix == "/api/v1/")


def test_existing_and_missing_tenants_answer_alike(signed_in: Client, other: Tenant):
    assert signed_in.get("/api/v1/theirs/").content == signed_in.get("/api/v1/missing/").content


def test_staff_are_not_members(client: Client, tenant: Tenant):
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    assert client.get("/t/ours/").status_code == HTTPStatus.NOT_FOUND


def test_a_removed_member_is_out_at_once(signed_in: Client, member: User, tenant: Tenant):
    assert signed_in.get("/t/ours/").status_code == HTTPStatus.OK
    with tenant_scope(tenant):
        tenant.memberships.filter(user=member).delete()
    assert signed_in.get("/t/ours/").status_code == HTTPStatus.NOT_FOUND


def test_the_session_says_nothing_about_the_tenant(signed_in: Client, other: Tenant):
    session = signed_in.session
    session["tenant"] = session["tenant_id"] = other.id
    session["tenant_slug"] = other.slug
    session.save()
    assert signed_in.get("/t/ours/").json()["slug"] == "ours"
    assert signed_in.get("/t/theirs/").status_code == HTTPStatus.NOT_FOUND


def test_anonymous_visitors_are_asked_to_sign_in(client: Client, tenant: Tenant):
    page = client.get("/t/ours/?from=2026-01-01")
    assert page.status_code == HTTPStatus.FOUND
    assert page.headers["Location"] == "/login/?next=/t/ours/%3Ffrom%3D2026-01-01"
    api = client.get("/api/v1/ours/")
    assert (api.status_code, api.json()) == (HTTPStatus.UNAUTHORIZED, {"detail": "Sign in first."})


def test_an_answer_commits_and_an_error_leaves_nothing(signed_in: Client, tenant: Tenant):
    assert signed_in.get("/t/ours/write/400/").status_code == HTTPStatus.BAD_REQUEST
    assert signed_in.get("/t/ours/raise/").status_code == HTTPStatus.NOT_FOUND
    assert customers_of(tenant) == 0
    assert signed_in.get("/t/ours/write/200/").status_code == HTTPStatus.OK
    assert customers_of(tenant) == 1


def test_templates_are_rendered_within_the_scope(signed_in: Client, tenant: Tenant):
    assert signed_in.get("/t/ours/template/").content == b"0"


def test_a_stream_that_reads_after_the_scope_is_refused(signed_in: Client, tenant: Tenant):
    with tenant_scope(tenant):
        CustomerFactory()
    response = signed_in.get("/t/ours/stream/")
    with pytest.raises(UnscopedQueryError):
        b"".join(response.streaming_content)


def test_a_stream_with_a_scope_of_its_own_reads(signed_in: Client, tenant: Tenant):
    with tenant_scope(tenant):
        name = CustomerFactory().name
    response = signed_in.get("/t/ours/scoped-stream/")
    assert b"".join(response.streaming_content).decode() == name
    assert current_scope() == Scope()


def test_other_addresses_have_no_scope(signed_in: Client):
    assert signed_in.get("/elsewhere/").json() == {"python": None, "tenant": False}
