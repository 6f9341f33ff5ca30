"""A plan is all that rows depend on."""

import hashlib
import json
from collections.abc import Collection
from datetime import UTC, date, datetime

import pytest

from saas.seeding.copy_text import encode
from saas.seeding.errors import SeedError
from saas.seeding.plan import Plan, generate
from saas.seeding.scale import Table, parse_scale

AS_OF = date(2026, 11, 20)
JSON_COLUMNS = {"metadata", "properties", "shipping_address"}


def plan(scale: str = "0.02", seed: int = 7, as_of: date = AS_OF) -> Plan:
    return Plan(scale=parse_scale(scale), seed=seed, as_of=as_of)


def checksums(made: Plan, *, tables: Collection[Table] = tuple(Table), chunk_rows: int = 16_384) -> dict[Table, str]:
    hashes = {table: hashlib.sha256() for table in tables}
    for chunk in generate(made, tables=tables, chunk_rows=chunk_rows):
        hashes[chunk.table].update(encode(chunk.batch))
    return {table: each.hexdigest() for table, each in hashes.items()}


@pytest.mark.parametrize("scale", ["0.01", "small", "0.137", "1.5"])
def test_counts_and_ids_are_exact(scale: str):
    made = plan(scale)
    next_ids = dict.fromkeys(Table, 1)
    for chunk in generate(made):
        ids = chunk.batch["id"].to_pylist()
        assert ids == list(range(next_ids[chunk.table], next_ids[chunk.table] + len(ids)))
        next_ids[chunk.table] += len(ids)
    assert {table: following - 1 for table, following in next_ids.items()} == made.scale.rows


def test_equal_plans_give_equal_rows():
    assert checksums(plan()) == checksums(plan())


@pytest.mark.parametrize("other", [plan(seed=8), plan(as_of=date(2026, 11, 21))], ids=str)
def test_other_plans_give_other_rows(other: Plan):
    ours, theirs = checksums(plan()), checksums(other)
    assert all(ours[table] != theirs[table] for table in Table)


@pytest.mark.parametrize("chunk_rows", [1_000, 777])
def test_the_size_of_chunks_changes_no_row(chunk_rows: int):
    assert checksums(plan(), chunk_rows=chunk_rows) == checksums(plan())


@pytest.mark.parametrize("table", Table)
def test_a_table_alone_is_the_same(table: Table):
    assert checksums(plan(), tables=[table]) == {table: checksums(plan())[table]}


def test_parents_come_before_children():
    orders = [list(Table).index(chunk.table) for chunk in generate(plan()) if chunk.tenant_id == 2]
    assert orders == sorted(orders)
    tenants = [number for number, chunk in enumerate(generate(plan())) if chunk.table is Table.TENANTS]
    assert tenants == list(range(4))


def test_everything_but_the_past_of_shops_lies_in_the_period():
    start, end = datetime(2026, 5, 20, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    for chunk in generate(plan()):
        for name in {"created_at", "updated_at", "order_date"} & set(chunk.batch.schema.names):
            instants = chunk.batch[name].to_pylist()
            assert max(instants) < end
            if chunk.table not in {Table.TENANTS, Table.PRODUCTS}:
                assert min(instants) >= start


def test_documents_are_json():
    seen = ""
    for chunk in generate(plan("small")):
        for name in JSON_COLUMNS & set(chunk.batch.schema.names):
            texts = chunk.batch[name].to_pylist()
            assert all(isinstance(json.loads(text), dict) for text in texts)
            seen += "".join(texts)
    for trouble in ('\\"', "\\n", "\\\\", ", ", "é", "☕", "東京"):
        assert trouble in seen


def test_a_negative_seed_is_refused():
    with pytest.raises(SeedError, match=r"--seed -1 is negative: choose 0 or more\."):
        plan(seed=-1)
