"""Generation runs ahead, but only so far, and its errors arrive."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from saas.seeding.ahead import ahead


def test_items_arrive_in_order():
    assert list(ahead(iter(range(100)), depth=3)) == list(range(100))
    assert list(ahead(iter(()), depth=3)) == []


def test_an_error_arrives_after_what_came_before_it():
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    items = ahead(failing(), depth=4)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_no_more_than_the_depth_is_computed_beforehand():
    computed = []

    def counting() -> Iterator[int]:
        for number in range(100):
            computed.append(number)
            yield number

    with closing(ahead(counting(), depth=3)) as items:
        taken = next(items)
    assert taken == 0
    assert len(computed) <= 1 + 3


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    with closing(ahead(iter(range(1_000)), depth=3)) as items:
        next(items)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
