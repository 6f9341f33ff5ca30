from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.bronze.layout import (
    MAX_LOAD_NUMBER,
    change_key,
    change_manifest_key,
    change_milliseconds,
    contract_key,
    contract_version,
    file_manifest_key,
    load_key,
    load_number,
    table_prefix,
)
from etl.contracts.table import TableId
from etl.replicate.lsn import Lsn

ORDERS = TableId(schema="public", name="orders")
identifiers = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=63)


def test_full_load_files_are_named_as_dms_names_them():
    assert load_key(ORDERS, 1) == "public/orders/LOAD00000001.csv.gz"
    assert load_key(ORDERS, 0x1F) == "public/orders/LOAD0000001F.csv.gz"


@given(st.integers(1, MAX_LOAD_NUMBER))
def test_the_number_of_a_file_is_found_again_in_its_name(number: int):
    assert load_number(load_key(ORDERS, number)) == number


@pytest.mark.parametrize("number", [0, -1, MAX_LOAD_NUMBER + 1])
def test_a_number_beyond_eight_hexadecimal_digits_is_refused(number: int):
    with pytest.raises(ValueError, match="numbers run from 1"):
        load_key(ORDERS, number)


@pytest.mark.parametrize(
    "name", ["20261123-075831123.csv.gz", "LOAD0000001.csv.gz", "LOAD0000000a.csv.gz", "LOAD00000001.csv", "x.json"]
)
def test_other_names_have_no_load_number(name: str):
    assert load_number(f"public/orders/{name}") is None


def test_files_of_changes_are_named_as_dms_names_them():
    moment = datetime(2026, 11, 23, 14, 30, 1, 123999, tzinfo=UTC)
    key = change_key(ORDERS, int(moment.timestamp() * 1000))
    assert key == "public/orders/2026/11/23/20261123-143001123.csv.gz"


milliseconds = st.integers(0, int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000))


@given(milliseconds)
def test_the_time_of_a_file_of_changes_is_found_again_in_its_name(time: int):
    assert change_milliseconds(change_key(ORDERS, time)) == time


@given(milliseconds, milliseconds)
def test_later_files_of_changes_have_greater_names(one: int, other: int):
    assert (change_key(ORDERS, one) < change_key(ORDERS, other)) == (one < other)


@pytest.mark.parametrize("name", ["LOAD00000001.csv.gz", "20261123-14300112.csv.gz", "20261123-143001123.csv"])
def test_other_names_have_no_time(name: str):
    assert change_milliseconds(f"public/orders/2026/11/23/{name}") is None


def test_a_flush_is_filed_by_day_and_named_by_its_end():
    key = change_manifest_key(date(2026, 11, 3), Lsn(0x18B4D10).hex)
    assert key == "_manifests/changes/2026/11/03/00000000018B4D10.json"


@given(st.integers(1, 20_000))
def test_the_version_of_a_contract_is_found_again_in_its_name(version: int):
    assert contract_version(contract_key(ORDERS, version)) == version


def test_manifests_and_contracts_stand_beside_the_data_and_not_among_it():
    assert file_manifest_key(load_key(ORDERS, 1)) == "_manifests/public/orders/LOAD00000001.csv.gz.json"
    assert contract_key(ORDERS, 1) == "_contracts/public/orders/v0001.json"


@given(identifiers, identifiers)
def test_no_identifier_leaves_its_folder_or_passes_for_ours(schema: str, name: str):
    prefix = table_prefix(TableId(schema=schema, name=name))
    segments = prefix.split("/")
    assert len(segments) == 3
    assert segments[2] == ""
    assert not {"", ".", ".."} & set(segments[:2])
    assert not prefix.startswith("_")
    assert prefix.isascii()


@given(identifiers, identifiers, identifiers, identifiers)
def test_two_tables_never_share_a_folder(schema: str, name: str, other_schema: str, other_name: str):
    one, other = TableId(schema=schema, name=name), TableId(schema=other_schema, name=other_name)
    assert (table_prefix(one) == table_prefix(other)) == (one == other)
