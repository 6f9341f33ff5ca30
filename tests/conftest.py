"""Fixtures every suite shares: the session's database, scratch copies of it, a running stack."""

from __future__ import annotations

import pytest
from django.core.management import call_command


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """Migrate the session's own database as its owner; `default` reaches it as the application's role."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
