"""What changed between two contracts, in sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.contracts.diff import ChangeKind, contract_changes, is_widening
from etl.contracts.table import Column, TableContract, TableId

ID = Column(name="id", attnum=1, source_type="bigint", type="bigint", nullable=False)
TOTAL = Column(name="total", attnum=2, source_type="numeric(12,2)", type="decimal(12,2)", nullable=False)
NOTE = Column(name="note", attnum=4, source_type="character varying(10)", type="text", nullable=True)


def contract(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableContract:
    return TableContract(table=TableId.parse("orders"), version=1, columns=columns, key=key)


BEFORE = contract(ID, TOTAL, NOTE)


@pytest.mark.parametrize(
    ("after", "kind", "sentence"),
    [
        (
            contract(ID, TOTAL, NOTE, replace(NOTE, name="city", attnum=5, source_type="text")),
            ChangeKind.ADDED, "city (text) was added; it may be empty.",
        ),
        (
            contract(ID, TOTAL, NOTE, replace(ID, name="uid", attnum=5)),
            ChangeKind.ADDED, "uid (bigint) was added; it is never empty.",
        ),
        (contract(ID, TOTAL), ChangeKind.DROPPED, "note (character varying(10)) was dropped."),
        (contract(ID, TOTAL, replace(NOTE, name="remark")), ChangeKind.RENAMED, "note was renamed to remark."),
        (
            contract(ID, replace(TOTAL, source_type="numeric(15,2)", type="decimal(15,2)"), NOTE),
            ChangeKind.WIDENED, "total was widened from numeric(12,2) to numeric(15,2).",
        ),
        (
            contract(ID, replace(TOTAL, source_type="numeric(9,2)", type="decimal(9,2)"), NOTE),
            ChangeKind.NARROWED,
            "total was numeric(12,2) and is now numeric(9,2), as which older values cannot be read unchanged.",
        ),
        (
            contract(ID, TOTAL, replace(NOTE, source_type="text")),
            ChangeKind.RETYPED, "note was character varying(10) and is now text; in the lake it stays text.",
        ),
        (contract(ID, TOTAL, replace(NOTE, nullable=False)), ChangeKind.REQUIRED, "note is never empty now."),
        (contract(ID, replace(TOTAL, nullable=True), NOTE), ChangeKind.OPTIONAL, "total may be empty now."),
        (contract(ID, TOTAL, NOTE, key=("id", "note")), ChangeKind.KEY, "The key was (id) and is now (id, note)."),
    ],
)  # fmt: skip
def test_each_change_is_one_sentence(after: TableContract, kind: ChangeKind, sentence: str) -> None:
    (change,) = contract_changes(BEFORE, after)
    assert (change.kind, change.sentence) == (kind, sentence)


def test_equal_contracts_differ_in_nothing_whatever_their_versions() -> None:
    assert contract_changes(BEFORE, replace(BEFORE, version=9)) == ()


def test_a_column_dropped_and_added_again_is_another_column() -> None:
    changes = contract_changes(BEFORE, contract(ID, TOTAL, replace(NOTE, attnum=5)))
    assert [each.kind for each in changes] == [ChangeKind.DROPPED, ChangeKind.ADDED]


def test_renaming_a_key_column_does_not_change_the_key() -> None:
    changes = contract_changes(BEFORE, contract(replace(ID, name="number"), TOTAL, NOTE, key=("number",)))
    assert [each.kind for each in changes] == [ChangeKind.RENAMED]


def test_swapped_names_are_two_renamings() -> None:
    changes = contract_changes(BEFORE, contract(ID, replace(TOTAL, name="note"), replace(NOTE, name="total")))
    assert [each.sentence for each in changes] == ["total was renamed to note.", "note was renamed to total."]


@pytest.mark.parametrize(
    ("old", "new", "widens"),
    [
        ("integer", "bigint", True),
        ("bigint", "integer", False),
        ("decimal(9,2)", "decimal(12,2)", True),
        ("decimal(12,2)", "decimal(12,4)", False),
        ("decimal(12,2)", "text", False),
        ("date", "timestamptz", False),
        ("integer", "double", False),
    ],
)
def test_what_widens(old: str, new: str, widens: bool) -> None:
    assert is_widening(old, new) is widens
