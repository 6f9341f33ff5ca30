"""Migration operations for what Django's models cannot say: keys and policies that hold tenants apart.

They change the database only; the models' state stays what Django believes, so
`makemigrations --check` sees nothing to do.
"""

from __future__ import annotations

from typing import ClassVar

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Model

TENANT_SETTING = "nullif(current_setting('app.tenant_id', true), '')::bigint"
"""The tenant in scope; NULL, which equals nothing, if there is none. After a commit the setting is ''."""
USER_SETTING = "nullif(current_setting('app.user_id', true), '')::bigint"


class _DatabaseOperation(Operation):
    """Runs statements, leaving the models' state alone."""

    reversible: ClassVar[bool] = True
    reduces_to_sql: ClassVar[bool] = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change nothing: Django need not know."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002 - Django's signature
        to_state: ProjectState,
    ) -> None:
        """Apply the operation."""
        for statement in self.forwards(app_label, to_state):
            schema_editor.execute(statement)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002 - Django's signature
        to_state: ProjectState,
    ) -> None:
        """Take the operation back."""
        for statement in self.backwards(app_label, to_state):
            schema_editor.execute(statement)

    def forwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that apply the operation."""
        raise NotImplementedError

    def backwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that take it back."""
        raise NotImplementedError


class TenantPrimaryKey(_DatabaseOperation):
    """Makes a table's primary key (tenant_id, id).

    One index then serves the key, references to it and lookups within a tenant, and the
    default replica identity carries the tenant in every delete.
    """

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Put the tenant into the primary key of {self.model_name}"

    def forwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that apply the operation."""
        return [self._swap(app_label, state, "tenant_id, id")]

    def backwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that take it back."""
        return [self._swap(app_label, state, "id")]

    def _swap(self, app_label: str, state: ProjectState, columns: str) -> str:
        table = _table(app_label, self.model_name, state)
        return f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_pkey PRIMARY KEY ({columns})"


class TenantForeignKey(_DatabaseOperation):
    """Makes a reference that cannot leave the tenant: (tenant_id, x_id) to (tenant_id, id).

    Plain foreign keys are checked without row-level security, so they would accept
    another tenant's row. Checked at once, not at commit: the statement that is wrong fails.
    """

    def __init__(self, model_name: str, field_name: str) -> None:
        self.model_name = model_name
        self.field_name = field_name

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Hold {self.model_name}.{self.field_name} within the tenant"

    def forwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that apply the operation."""
        field = state.apps.get_model(app_label, self.model_name)._meta.get_field(self.field_name)
        table = _table(app_label, self.model_name, state)
        target = field.related_model._meta.db_table
        reference = f"FOREIGN KEY (tenant_id, {field.column}) REFERENCES {target} (tenant_id, id)"
        return [f"ALTER TABLE {table} ADD CONSTRAINT {table}_{field.column}_fk {reference}"]

    def backwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that take it back."""
        table = _table(app_label, self.model_name, state)
        column = state.apps.get_model(app_label, self.model_name)._meta.get_field(self.field_name).column
        return [f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fk"]


class EnableRowLevelSecurity(_DatabaseOperation):
    """Shows and accepts a table's rows only for the tenant in scope, even to the table's owner.

    Args:
        model_name: The model whose table it is.
        tenant_column: The column that names the tenant.
        readable_if: SQL condition under which a row may be read, though not written, as well.
    """

    def __init__(self, model_name: str, *, tenant_column: str = "tenant_id", readable_if: str | None = None) -> None:
        self.model_name = model_name
        self.tenant_column = tenant_column
        self.readable_if = readable_if

    def describe(self) -> str:
        """Say what the operation does."""
        return f"Enforce row-level security on {self.model_name}"

    def forwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that apply the operation."""
        table = _table(app_label, self.model_name, state)
        condition = f"{self.tenant_column} = {TENANT_SETTING}"
        statements = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant_isolation ON {table} USING ({condition}) WITH CHECK ({condition})",
        ]
        if self.readable_if is not None:
            statements.append(f"CREATE POLICY own_membership ON {table} FOR SELECT USING ({self.readable_if})")
        return statements

    def backwards(self, app_label: str, state: ProjectState) -> list[str]:
        """Return the statements that take it back."""
        table = _table(app_label, self.model_name, state)
        policies = ["tenant_isolation", *(["own_membership"] if self.readable_if is not None else [])]
        return [
            *(f"DROP POLICY {policy} ON {table}" for policy in policies),
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY",
        ]


def _table(app_label: str, model_name: str, state: ProjectState) -> str:
    model: type[Model] = state.apps.get_model(app_label, model_name)
    return model._meta.db_table
