"""Damage to bronze is refused by its manifests, whatever it is: two thousand kinds of it, none of which gives a row."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from etl.bronze.manifest import FileManifest
from etl.bronze.reader import BronzeDamagedError, verify
from etl.bronze.window import ChangeLog, WindowBrokenError
from etl.ports.object_store import ObjectMissingError
from tests.change_files import SLOT, Bronze, Change
from tests.contracts import contract
from tests.fakes import FakeStore

DAMAGES = 2_000
NOTES = contract("notes", ("tenant_id", "bigint"), ("id", "bigint"), ("note", "text"), key=("tenant_id", "id"))
ITEMS = contract("items", ("tenant_id", "bigint"), ("id", "bigint"), ("note", "text"), key=("tenant_id", "id"))

Damage = Callable[[random.Random, bytes, bytes], bytes]
"""Makes another file of a file, or of a file and another one."""


def _flip(chance: random.Random, body: bytes, _other: bytes) -> bytes:
    damaged = bytearray(body)
    damaged[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _cut(chance: random.Random, body: bytes, _other: bytes) -> bytes:
    return body[: chance.randrange(len(body))]


def _cut_out(chance: random.Random, body: bytes, _other: bytes) -> bytes:
    first = chance.randrange(len(body))
    return body[:first] + body[first + chance.randint(1, 64) :]


def _double(chance: random.Random, body: bytes, _other: bytes) -> bytes:
    return body + body[chance.randrange(len(body)) :] if chance.random() < 0.5 else body + body


def _zeros(chance: random.Random, body: bytes, _other: bytes) -> bytes:
    first = chance.randrange(len(body) - 1)
    last = chance.randint(first + 1, len(body))
    damaged = body[:first] + bytes(last - first) + body[last:]
    return damaged if damaged != body else bytes(len(body))


def _foreign(_chance: random.Random, _body: bytes, other: bytes) -> bytes:
    return other


def _spliced(chance: random.Random, body: bytes, other: bytes) -> bytes:
    return body[: chance.randint(1, len(body))] + other[chance.randrange(len(other)) :]


def _gone(_chance: random.Random, _body: bytes, _other: bytes) -> bytes:
    return b""


KINDS: tuple[Damage, ...] = (_flip, _cut, _cut_out, _double, _zeros, _foreign, _spliced, _gone)


def _bronze() -> tuple[FakeStore, list[FileManifest]]:
    """Two tables' loads and some flushes of changes: a load's file and files of changes, alike in shape."""
    store = FakeStore()
    bronze = Bronze(store)
    rows = [{"tenant_id": "1", "id": str(number), "note": f"note {number}"} for number in range(200)]
    load = bronze.load({NOTES: rows, ITEMS: [row | {"note": f"item {row['id']}"} for row in rows]})
    bronze.flushed_lsn = bronze.lsn
    files = list(load.files)
    for start in range(0, 600, 200):
        transactions = [
            [Change(contract=table, op="U", values={**row, "note": f"{start} {table.table}"})]
            for row in rows
            for table in (NOTES, ITEMS)
        ]
        files += bronze.flush(transactions).files
    return store, files


@pytest.mark.parametrize("kind", KINDS)
def test_no_damaged_file_is_accepted(kind: Damage) -> None:
    store, files = _bronze()
    verify(store, files)
    chance = random.Random(kind.__name__)
    for _ in range(DAMAGES // len(KINDS)):
        file, other = chance.sample(files, 2)
        body = store.objects[file.key]
        store.objects[file.key] = kind(chance, body, store.objects[other.key])
        with pytest.raises(BronzeDamagedError, match=file.key):
            verify(store, [file])
        store.objects[file.key] = body
    del store.objects[files[0].key]
    with pytest.raises(ObjectMissingError):
        verify(store, files)


def test_exchanged_files_are_refused() -> None:
    store, files = _bronze()
    chance = random.Random(1)
    for _ in range(100):
        one, other = chance.sample(files, 2)
        objects = store.objects
        objects[one.key], objects[other.key] = objects[other.key], objects[one.key]
        for file in (one, other):
            with pytest.raises(BronzeDamagedError):
                verify(store, [file])
        objects[one.key], objects[other.key] = objects[other.key], objects[one.key]


def _flushes() -> tuple[FakeStore, Bronze, list[str]]:
    store = FakeStore()
    bronze = Bronze(store)
    bronze.load({NOTES: []})
    bronze.flushed_lsn = bronze.lsn
    for number in range(4):
        bronze.flush([[Change(contract=NOTES, op="I", values={"tenant_id": "1", "id": str(number)})]])
    return store, bronze, sorted(key for key in store.objects if key.startswith("_manifests/changes/"))


def test_flushes_are_read_in_order_and_once() -> None:
    store, bronze, keys = _flushes()
    log = ChangeLog(store, slot=SLOT, after_lsn=1010)
    assert [log.read(most=3).last_lsn, log.read().last_lsn] == [1040, 1050]
    assert (len(keys), log.read().manifests, log.position) == (4, (), bronze.lsn)
    assert ChangeLog(store, slot=SLOT, after_lsn=1010).read(until_lsn=1035).last_lsn == 1030


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_flush_is_noticed(missing: int) -> None:
    store, _, keys = _flushes()
    del store.objects[keys[missing]]
    with pytest.raises(WindowBrokenError, match="continues from"):
        ChangeLog(store, slot=SLOT, after_lsn=1010).read()


def test_another_slots_flush_is_refused() -> None:
    store, _, _ = _flushes()
    with pytest.raises(WindowBrokenError, match="of the slot tests, not of mine"):
        ChangeLog(store, slot="mine", after_lsn=1010).read()


def test_a_flush_under_another_name_is_refused() -> None:
    store, _, keys = _flushes()
    store.objects[keys[1]] = store.objects[keys[0]]
    with pytest.raises(WindowBrokenError, match="not the flush that its name says"):
        ChangeLog(store, slot=SLOT, after_lsn=1010).read()


def test_a_damaged_manifest_names_no_other_changes() -> None:
    """It is refused, or still names the same files, content and place in the log."""
    store, _, keys = _flushes()
    whole = ChangeLog(store, slot=SLOT, after_lsn=1010).read()
    chance = random.Random(2)
    for _ in range(500):
        key = chance.choice(keys)
        body = store.objects[key]
        store.objects[key] = _flip(chance, body, b"")
        try:
            window = ChangeLog(store, slot=SLOT, after_lsn=1010).read()
            verify(store, window.files_of(NOTES.table))
        except (BronzeDamagedError, WindowBrokenError, ObjectMissingError):
            pass
        else:
            proofs = [(file.key, file.sha256, file.size_bytes) for file in window.files_of(NOTES.table)]
            assert proofs == [(file.key, file.sha256, file.size_bytes) for file in whole.files_of(NOTES.table)]
            assert window.last_lsn == whole.last_lsn
        store.objects[key] = body
