"""How many rows, exactly, and whose."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.seeding.errors import SeedError
from saas.seeding.scale import LARGEST_FACTOR, MEDIUM_ROWS, SMALLEST_FACTOR, Table, parse_scale

FACTORS = st.decimals(SMALLEST_FACTOR, LARGEST_FACTOR, places=4, allow_nan=False)

COUNTS = {
    "small": (4, 320, 40, 2_560, 7_680, 16_000, 96, 500),
    "medium": (8, 6_400, 800, 51_200, 153_600, 320_000, 1_920, 10_000),
    "large": (25, 64_000, 8_000, 512_000, 1_536_000, 3_200_000, 19_200, 100_000),
    "0.01": (4, 64, 8, 512, 1_536, 3_200, 19, 100),
    "0.5": (8, 3_200, 400, 25_600, 76_800, 160_000, 960, 5_000),
    "100": (80, 640_000, 80_000, 5_120_000, 15_360_000, 32_000_000, 192_000, 1_000_000),
}


@pytest.mark.parametrize("text", COUNTS)
def test_counts_are_exact(text: str):
    assert tuple(parse_scale(text).rows.values()) == COUNTS[text]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "--scale '' is unknown: choose small, medium, large or a factor from 0.01 to 100."),
        ("huge", "--scale 'huge' is unknown: choose small, medium, large or a factor from 0.01 to 100."),
        ("Medium", "--scale 'Medium' is unknown: choose small, medium, large or a factor from 0.01 to 100."),
        ("nan", "--scale 'nan' is unknown: choose small, medium, large or a factor from 0.01 to 100."),
        ("Infinity", "--scale 'Infinity' is unknown: choose small, medium, large or a factor from 0.01 to 100."),
        ("0", "--scale 0 is out of range: choose a factor from 0.01 to 100."),
        ("-1", "--scale -1 is out of range: choose a factor from 0.01 to 100."),
        ("0.00999", "--scale 0.00999 is out of range: choose a factor from 0.01 to 100."),
        ("100.01", "--scale 100.01 is out of range: choose a factor from 0.01 to 100."),
        ("1e999999", "--scale 1e999999 is out of range: choose a factor from 0.01 to 100."),
    ],
)
def test_other_scales_are_refused(text: str, sentence: str):
    with pytest.raises(SeedError) as refused:
        parse_scale(text)
    assert str(refused.value) == sentence


@given(FACTORS)
def test_rows_are_the_nearest_multiple_of_medium(factor: Decimal):
    rows = parse_scale(str(factor)).rows
    for table, medium in MEDIUM_ROWS.items():
        assert rows[table] == (medium * factor).quantize(Decimal(1), ROUND_HALF_UP)


@given(FACTORS, FACTORS)
def test_more_is_never_fewer_tenants(one: Decimal, other: Decimal):
    smaller, bigger = sorted([one, other])
    assert parse_scale(str(smaller)).tenants <= parse_scale(str(bigger)).tenants


@given(FACTORS)
def test_shares_add_up_and_fit_each_other(factor: Decimal):
    scale = parse_scale(str(factor))
    shares = scale.shares()
    assert len(shares) == scale.tenants
    for table in Table:
        assert sum(share[table] for share in shares) == scale.rows[table]
    for share in shares:
        assert min(share.values()) >= 1
        assert share[Table.ORDER_ITEMS] >= share[Table.ORDERS]
        assert share[Table.SUBSCRIPTIONS] <= share[Table.CUSTOMERS]
        assert share[Table.INVOICES] <= share[Table.ORDERS]


def test_tenants_differ_in_size():
    customers = [share[Table.CUSTOMERS] for share in parse_scale("medium").shares()]
    assert max(customers) > 3 * min(customers)
