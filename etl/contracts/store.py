"""Keeps every version of every table's contract in bronze, beside the files written under it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from etl.bronze.layout import contract_key, contract_version, contracts_prefix, doubt_key, doubted_version
from etl.contracts.table import TableContract, TableId
from etl.ports.object_store import ObjectExistsError, ObjectStore


def record_contract(store: ObjectStore, contract: TableContract) -> TableContract:
    """Return the contract with its version: the newest one's if the shape is the same, else the next.

    A new version is stored before it is returned. Repeating changes nothing.

    Raises:
        ObjectExistsError: Another writer recorded a different contract at the same moment.
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    newest = newest_contract(store, contract.table)
    if newest is not None and newest.fingerprint == contract.fingerprint:
        return newest
    recorded = replace(contract, version=newest.version + 1 if newest else 1)
    store.put(contract_key(recorded.table, recorded.version), recorded.to_json().encode())
    return recorded


def newest_contract(store: ObjectStore, table: TableId) -> TableContract | None:
    """Return the contract recorded last; None before the first.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    versions = contract_versions(store, table)
    return read_contract(store, table, versions[-1]) if versions else None


def contract_versions(store: ObjectStore, table: TableId) -> tuple[int, ...]:
    """Return the numbers of the recorded versions, oldest first.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    found = (contract_version(info.key) for info in store.list(contracts_prefix(table)))
    return tuple(sorted(version for version in found if version is not None))


def read_contract(store: ObjectStore, table: TableId, version: int) -> TableContract:
    """Return one recorded version.

    Raises:
        ObjectMissingError: There is no such version.
        StoreUnavailableError: The store did not answer.
    """
    return TableContract.from_json(store.get(contract_key(table, version)))


def record_doubt(store: ObjectStore, table: TableId, version: int, message: str) -> None:
    """Note, before the version itself is recorded, that rows older than it are not known any more.

    Raises:
        StoreFullError: No room.
        StoreUnavailableError: The store did not answer.
    """
    with suppress(ObjectExistsError):  # Somebody died between this and the version.
        store.put(doubt_key(table, version), message.encode())


def doubt_since(store: ObjectStore, table: TableId, version: int) -> str | None:
    """Return why rows loaded under a version are not known any more; None if they are.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    for info in store.list(contracts_prefix(table)):
        doubted = doubted_version(info.key)
        if doubted is not None and doubted > version:
            return store.get(info.key).decode()
    return None
