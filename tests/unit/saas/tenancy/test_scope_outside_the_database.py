"""What needs no database: refusing."""

from __future__ import annotations

import contextvars

import pytest

from saas.models import Customer, Tenant
from saas.tenancy import scope
from saas.tenancy.scope import ForeignTenantError, Scope, UnscopedQueryError, current_scope, require_scope_of


def test_nobody_is_in_scope_by_default():
    assert current_scope() == Scope()


def test_the_refusal_says_what_to_do():
    with pytest.raises(UnscopedQueryError) as refusal:
        Customer.objects.all()
    assert str(refusal.value) == (
        "A query for customers does not say whose, as no tenant is in scope: wrap it in `with tenant_scope(tenant):`."
    )


def test_no_rows_need_no_scope():
    assert list(Customer.objects.none()) == []
    assert list(Tenant.objects.none()) == []


@pytest.mark.parametrize("tenant_id", [None, 2])
def test_a_row_of_nobody_or_somebody_else_is_refused(tenant_id: int | None):
    context = contextvars.copy_context()
    context.run(scope._current.set, Scope(tenant_id=1))
    with pytest.raises(ForeignTenantError, match=f"customers belongs to tenant {tenant_id}, but tenant 1 is in scope"):
        context.run(require_scope_of, Customer(tenant_id=tenant_id), tenant_id)
