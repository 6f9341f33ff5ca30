"""Queries to begin with: one for every model, in Athena's words, made from what the model says of itself.

People find them in Athena's console. Those over models of tenants ask for the tenant by a
parameter; who may read which tenant is decided by Lake Formation, never by a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.engine.sql import identifier
from etl.gold.model import TENANT_COLUMN, Audience, GoldModel

_LONGEST_DESCRIPTION = 1024
"""Source: Athena API reference, ``CreateNamedQuery``."""
_LIMIT = 1000


def gold_variables(models: Sequence[GoldModel]) -> Mapping[str, object]:
    """Return Terraform's variable ``gold``: the queries by model, and the models kept by tenant."""
    ordered = sorted(models, key=lambda model: model.name)
    return {
        "gold": {
            "queries": {
                model.name: {"description": _description(model), "sql": named_query(model)} for model in ordered
            },
            "tenant_tables": [model.name for model in ordered if model.audience is Audience.TENANT],
        }
    }


def named_query(model: GoldModel) -> str:
    """Return the SELECT: every column with what it means, newest or first rows of the grain first."""
    lines = [f"-- {model.title}. {model.question}"]
    if model.audience is Audience.TENANT:
        lines.append("-- Give the tenant's number as the one parameter.")
    lines.append("SELECT")
    for number, column in enumerate(model.columns, start=1):
        comma = "," if number < len(model.columns) else ""
        unit = f" ({column.unit})" if column.unit else ""
        lines.append(f"  {identifier(column.name)}{comma} -- {' '.join(column.description.split())}{unit}")
    lines.append(f"FROM {identifier(model.name)}")
    if model.audience is Audience.TENANT:
        lines.append(f"WHERE {identifier(TENANT_COLUMN)} = ?")
    order = [name for name in model.grain if name != TENANT_COLUMN or model.audience is not Audience.TENANT]
    if order:
        lines.append(f"ORDER BY {', '.join(identifier(name) for name in order)}")
    lines.append(f"LIMIT {_LIMIT}")
    return "\n".join(lines)


def _description(model: GoldModel) -> str:
    return f"{model.title}. {model.question}"[:_LONGEST_DESCRIPTION]
