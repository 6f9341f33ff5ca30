"""Which slot's changes continue the loads in bronze."""

from __future__ import annotations

from etl.bronze.layout import LOADS_PREFIX
from etl.bronze.manifest import LoadManifest
from etl.ports.object_store import ObjectStore


def followed_slot(store: ObjectStore) -> str | None:
    """Return the slot that the newest load with one names; None if nothing continues any load.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    for info in reversed([*store.list(LOADS_PREFIX)]):
        load = LoadManifest.from_json(store.get(info.key))
        if load.slot:
            return load.slot
    return None
