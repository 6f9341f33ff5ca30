from dataclasses import replace

import pytest

from etl.contracts.store import newest_contract, read_contract, record_contract
from etl.contracts.table import Column, TableContract, TableId
from etl.ports.object_store import ObjectMissingError
from tests.fakes import FakeStore

ORDERS = TableId(schema="public", name="orders")
ID = Column(name="id", attnum=1, source_type="bigint", type="bigint", nullable=False)
NOTE = Column(name="note", attnum=2, source_type="text", type="text", nullable=True)
READ = TableContract(table=ORDERS, version=0, columns=(ID,), key=("id",))


def test_the_first_shape_is_version_one():
    store = FakeStore()
    assert newest_contract(store, ORDERS) is None
    assert record_contract(store, READ) == replace(READ, version=1)
    assert newest_contract(store, ORDERS) == replace(READ, version=1)


def test_the_same_shape_keeps_its_version():
    store = FakeStore()
    record_contract(store, READ)
    assert record_contract(store, READ).version == 1
    assert len(store.objects) == 1


def test_another_shape_is_the_next_version_and_the_old_one_stays():
    store = FakeStore()
    record_contract(store, READ)
    wider = replace(READ, columns=(ID, NOTE))
    assert record_contract(store, wider) == replace(wider, version=2)
    assert read_contract(store, ORDERS, 1) == replace(READ, version=1)
    assert read_contract(store, ORDERS, 2) == replace(wider, version=2)


def test_a_shape_that_returns_is_a_new_version_so_that_versions_tell_the_order_of_time():
    store = FakeStore()
    for shape in (READ, replace(READ, columns=(ID, NOTE)), READ):
        record_contract(store, shape)
    assert newest_contract(store, ORDERS) == replace(READ, version=3)


def test_versions_beyond_four_digits_are_still_the_newest():
    store = FakeStore()
    for version in (9_999, 10_000):
        record_contract(store, READ)
        store.put(f"_contracts/public/orders/v{version}.json", replace(READ, version=version).to_json().encode())
    newest = newest_contract(store, ORDERS)
    assert newest is not None
    assert newest.version == 10_000


def test_a_version_that_never_was_is_missing():
    with pytest.raises(ObjectMissingError):
        read_contract(FakeStore(), ORDERS, 1)
