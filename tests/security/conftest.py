"""Two shops, whose owner must not meet."""

from __future__ import annotations

import pytest

from tests.security.shops import Shop, open_shop


@pytest.fixture
def ours(db: None) -> Shop:
    return open_shop("ours")


@pytest.fixture
def theirs(db: None) -> Shop:
    return open_shop("theirs")


@pytest.fixture
def two_committed_shops(transactional_db: None) -> tuple[Shop, Shop]:
    return open_shop("ours"), open_shop("theirs")
