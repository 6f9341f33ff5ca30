"""Makes the demo's users: one of the staff, and an owner for every tenant."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from config.embedded.demo import DemoUser, read_users, write_users_text
from config.private_files import write_private
from saas.models import Membership, Tenant, User
from saas.models.membership import Role
from saas.tenancy.scope import all_tenants

_STAFF_EMAIL = "staff@lakeside.example"


class Command(BaseCommand):
    """`manage.py demo_users`: users who are in the file and the database are left alone."""

    help = "Make one staff user and one owner per tenant, with random passwords written to a private file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--file", type=Path, required=True, help="where e-mail addresses and passwords are kept")

    def handle(self, *_arguments: Any, file: Path, **_options: Any) -> None:
        """Make the users who are missing in the database or the file."""
        known = {user.email: user for user in read_users(file)} if file.exists() else {}
        with all_tenants():
            users = [_staff(known.get(_STAFF_EMAIL))]
            users += [_owner(tenant, known.get(_owner_email(tenant))) for tenant in Tenant.objects.order_by("slug")]
        if users != list(known.values()):
            write_private(file, write_users_text(users))


def _staff(known: DemoUser | None) -> DemoUser:
    user = _user(_STAFF_EMAIL, "/admin/", known, name="Staff", is_staff=True, is_superuser=True)
    return user[1]


def _owner_email(tenant: Tenant) -> str:
    return f"owner@{tenant.slug}.example"


def _owner(tenant: Tenant, known: DemoUser | None) -> DemoUser:
    user, shown = _user(_owner_email(tenant), f"/t/{tenant.slug}/", known, name=f"Owner of {tenant.name}")
    Membership.objects.get_or_create(tenant=tenant, user=user, defaults={"role": Role.OWNER})
    return shown


def _user(email: str, path: str, known: DemoUser | None, **fields: Any) -> tuple[User, DemoUser]:
    """Return the stored user and their line; with a new password unless both are there."""
    users = User.objects.db_manager("owner")
    user = users.filter(email=email).first()
    if user is not None and known is not None:
        return user, known
    password = secrets.token_urlsafe(12)
    if user is None:
        user = users.create_user(email, password, **fields)
    else:
        user.set_password(password)
        user.save(using="owner")
    return user, DemoUser(email=email, password=password, path=path)
