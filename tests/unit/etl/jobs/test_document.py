import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from etl.jobs.document import build, dump
from etl.ports.job_runner import JobRefusedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    uri: str
    url: str | None
    threads: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    place: Place
    tables: tuple[str, ...]
    share: float = 1.0
    is_dry: bool = False


FULL = Arguments(place=Place(uri="/lake", url="postgresql://", threads=4), tables=("a", "b"))


def test_nested_documents_become_nested_dataclasses_and_lists_become_tuples():
    values = {"place": {"uri": "/lake", "url": "postgresql://", "threads": 4}, "tables": ["a", "b"]}
    assert build(Arguments, values) == FULL


def test_a_nested_dataclass_may_stand_flat_or_miss_what_its_surroundings_have():
    flat = {"uri": "/lake", "threads": 4, "url": "postgresql://", "tables": ["a", "b"], "meant_for": "another job"}
    assert build(Arguments, flat) == FULL
    partly = {"place": {"uri": "/lake", "threads": 4}, "url": "postgresql://", "tables": ["a", "b"]}
    assert build(Arguments, partly) == FULL


def test_whole_numbers_pass_for_fractions_and_null_for_what_may_be_none():
    made = build(Arguments, {"uri": "/lake", "url": None, "tables": [], "share": 1})
    assert made.place.url is None
    assert made.share == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uri", 7),
        ("uri", None),
        ("threads", "4"),
        ("threads", True),
        ("is_dry", 1),
        ("tables", "orders"),
        ("tables", ["orders", 1]),
        ("place", "here"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: object):
    values: dict[str, object] = {"uri": "/lake", "url": None, "tables": []}
    with pytest.raises(JobRefusedError, match=name):
        build(Arguments, values | {name: value})


def test_a_missing_value_is_refused_by_name():
    with pytest.raises(JobRefusedError, match="needs the argument tables"):
        build(Arguments, {"uri": "/lake", "url": None})


def test_results_become_json():
    document = json.loads(dump({"full": FULL, "at": datetime(2026, 11, 23, tzinfo=UTC), "hash": 2**70}))
    assert document["full"]["place"]["threads"] == 4
    assert document["full"]["tables"] == ["a", "b"]
    assert document["at"] == "2026-11-23T00:00:00+00:00"
    assert document["hash"] == 2**70


def test_a_value_json_does_not_have_is_refused():
    with pytest.raises(TypeError, match="Decimal"):
        dump({"amount": Decimal("1.10")})
