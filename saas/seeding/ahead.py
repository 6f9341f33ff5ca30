"""Generation in the background, a few chunks ahead of the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

_Item = TypeVar("_Item")
_END = object()


def ahead(items: Iterator[_Item], *, depth: int) -> Generator[_Item]:
    """Yield ``items``, computing up to ``depth`` of them beforehand in one thread.

    NumPy, Arrow and libpq let go of the interpreter while they work, so both sides run at once.

    Args:
        items: What to compute; an exception reaches the caller in its place.
        depth: How many finished items may wait, which bounds the memory they take.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="seeding")
    try:
        pending = deque(pool.submit(next, items, _END) for _ in range(depth))
        while (item := pending.popleft().result()) is not _END:
            pending.append(pool.submit(next, items, _END))
            yield cast("_Item", item)
    finally:
        pool.shutdown(cancel_futures=True)
