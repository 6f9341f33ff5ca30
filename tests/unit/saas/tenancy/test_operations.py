from __future__ import annotations

import pytest
from django.apps import apps
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter

from saas.tenancy.operations import EnableRowLevelSecurity, TenantForeignKey, TenantPrimaryKey


@pytest.fixture(scope="module")
def state() -> ProjectState:
    return ProjectState.from_apps(apps)


def test_the_primary_key_is_swapped_and_swapped_back(state: ProjectState):
    operation = TenantPrimaryKey("orderitem")
    (swap,) = operation.forwards("saas", state)
    assert swap == (
        "ALTER TABLE order_items DROP CONSTRAINT order_items_pkey, "
        "ADD CONSTRAINT order_items_pkey PRIMARY KEY (tenant_id, id)"
    )
    assert operation.backwards("saas", state)[0].endswith("PRIMARY KEY (id)")


def test_a_reference_carries_the_tenant(state: ProjectState):
    operation = TenantForeignKey("orderitem", "order")
    (constraint,) = operation.forwards("saas", state)
    assert constraint == (
        "ALTER TABLE order_items ADD CONSTRAINT order_items_order_id_fk "
        "FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)"
    )
    assert operation.backwards("saas", state) == ["ALTER TABLE order_items DROP CONSTRAINT order_items_order_id_fk"]


def test_row_level_security_is_forced_and_lifted(state: ProjectState):
    operation = EnableRowLevelSecurity("order")
    enable, policy = operation.forwards("saas", state)
    assert enable == "ALTER TABLE orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    condition = "(tenant_id = nullif(current_setting('app.tenant_id', true), '')::bigint)"
    assert policy == f"CREATE POLICY tenant_isolation ON orders USING {condition} WITH CHECK {condition}"
    assert operation.backwards("saas", state) == [
        "DROP POLICY tenant_isolation ON orders",
        "ALTER TABLE orders NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
    ]


def test_a_reading_condition_lets_nobody_write(state: ProjectState):
    operation = EnableRowLevelSecurity("tenant", tenant_column="id", readable_if="true")
    assert operation.forwards("saas", state)[2] == "CREATE POLICY own_membership ON tenants FOR SELECT USING (true)"
    assert "DROP POLICY own_membership ON tenants" in operation.backwards("saas", state)


@pytest.mark.parametrize(
    "operation",
    [
        TenantPrimaryKey("order"),
        TenantForeignKey("order", "customer"),
        EnableRowLevelSecurity("tenant", tenant_column="id", readable_if="true"),
    ],
)
def test_django_sees_no_change_of_state_and_can_write_the_operation(
    operation: TenantPrimaryKey | TenantForeignKey | EnableRowLevelSecurity, state: ProjectState
):
    before = state.clone()
    operation.state_forwards("saas", state)
    assert state == before
    written, imports = OperationWriter(operation, indentation=0).serialize()
    assert type(operation).__name__ in written
    assert imports == {"import saas.tenancy.operations"}
    assert operation.describe()
