"""Two tenants."""

from __future__ import annotations

import pytest

from saas.factories import TenantFactory
from saas.models import Tenant


@pytest.fixture
def tenant(db: None) -> Tenant:
    return TenantFactory(slug="ours")


@pytest.fixture
def other(db: None) -> Tenant:
    return TenantFactory(slug="theirs")
