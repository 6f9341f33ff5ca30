"""The site's own addresses: where people are sent, what pages may load, how health is told."""

from __future__ import annotations

import threading
import time

import pytest
from django.test import Client

from config.health import missing_parts
from saas.models import Membership, Tenant, User
from saas.tenancy.scope import tenant_scope

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def member_of(*slugs: str) -> User:
    user = User.objects.create_user("someone@lakeside.example", "a-password-of-theirs")
    for slug in slugs:
        tenant = Tenant.objects.register(slug=slug, name=slug.title())
        with tenant_scope(tenant):
            Membership.objects.create(tenant=tenant, user=user)
    return user


def directives(policy: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in policy.split(";"))}


def test_strangers_are_sent_to_the_login(client: Client):
    assert client.get("/").headers["Location"] == "/login/"


def test_staff_are_sent_to_the_console(client: Client):
    client.force_login(User.objects.create_superuser("staff@lakeside.example", "a-password-of-theirs"))
    assert client.get("/").headers["Location"] == "/admin/"


def test_members_are_sent_to_their_tenant(client: Client):
    client.force_login(member_of("acme"))
    assert client.get("/").headers["Location"] == "/t/acme/"


def test_members_of_several_tenants_choose_among_their_own(client: Client):
    Tenant.objects.register(slug="foreign", name="Foreign")
    client.force_login(member_of("acme", "globex"))
    page = client.get("/").content.decode()
    assert "/t/acme/" in page
    assert "/t/globex/" in page
    assert "/t/foreign/" not in page


def test_pages_load_our_own_scripts_only(client: Client):
    policy = directives(client.get("/login/").headers["Content-Security-Policy"])
    assert policy["script-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]


def test_only_the_console_may_evaluate_scripts(client: Client):
    policy = directives(client.get("/admin/login/").headers["Content-Security-Policy"])
    assert policy["script-src"] == ["'self'", "'unsafe-inline'", "'unsafe-eval'"]
    assert policy["default-src"] == ["'self'"]


def test_health_without_a_worker_is_unavailable_and_says_so(client: Client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "missing": ["worker"]})


def test_health_cannot_be_posted_to(client: Client):
    assert client.post("/healthz").status_code == 405


def test_a_part_that_fails_or_hangs_is_missing_and_the_answer_comes_in_time():
    hangs = threading.Event()

    def fails() -> bool:
        raise ConnectionRefusedError

    started = time.monotonic()
    try:
        missing = missing_parts({"fine": lambda: True, "fails": fails, "hangs": hangs.wait, "denies": lambda: False})
    finally:
        hangs.set()
    assert missing == ["fails", "hangs", "denies"]
    assert time.monotonic() - started < 1
