"""The lineage of this installation: its recorded contracts, its models, its dashboards."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from etl.contracts.store import newest_contract
from etl.contracts.table import TableContract, TableId
from etl.gold.compile import compile_models, load_models
from etl.gold.lineage import Lineage, build_lineage
from etl.ports.catalog import TableMissingError
from etl.ports.object_store import ObjectStore
from etl.silver.evolve import silver_schema


def current_lineage(store: ObjectStore) -> Lineage:
    """Return the lineage by the newest recorded contracts.

    Raises:
        TableMissingError: No contract is recorded yet.
        ModelError: A model file is wrong, or reads what no contract promises.
        StoreUnavailableError: Bronze did not answer.
    """
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]
    contracts = tuple(contract for table in tables if (contract := newest_contract(store, table)) is not None)
    if not contracts:
        raise TableMissingError("Nothing has been replicated yet, so no table's columns are known.")
    return _lineage(contracts)


@lru_cache(maxsize=2)
def _lineage(contracts: tuple[TableContract, ...]) -> Lineage:
    """Build it once for each set of contracts; models and dashboards change with the program."""
    silver = {each.table.lake_name: tuple(field.name for field in silver_schema(each).fields) for each in contracts}
    models = load_models()
    compile_models(models, silver=silver)
    readers = import_string(settings.GOLD_READERS)()
    return build_lineage(models, contracts=contracts, readers=readers)
