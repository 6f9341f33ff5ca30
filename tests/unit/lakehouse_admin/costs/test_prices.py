"""The price book: every price has a source and a day, and a wrong book is one sentence."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django import Settings

from config.aws import aws_settings
from config.env import AwsEnv, Backend, LakehouseEnv
from lakehouse_admin.costs.development_month import development_month
from lakehouse_admin.costs.prices import ITEMS, STANDARD_BOOK, PriceBookError, current_prices, read_book
from tests.aws.dms import TASK

ENTRY = """
[[price]]
item = "{item}"
service = "S"
title = "T"
unit = "u"
amount = "{amount}"
region = "{region}"
date = 2026-01-02
source = "somewhere"
confirmed = true
"""


def book(path: Path, **amounts: str) -> Path:
    entries = [ENTRY.format(item=item, amount="1", region="us-east-1") for item in sorted(ITEMS)]
    entries += [ENTRY.format(item="glue.dpu_hour", amount=amount, region=region) for region, amount in amounts.items()]
    path.write_text('currency = "USD"\nregion = "us-east-1"\n' + "".join(entries), encoding="utf-8")
    return path


def test_every_price_has_a_source_a_day_a_region_and_a_unit():
    found = read_book(STANDARD_BOOK)

    assert found.prices.keys() == ITEMS
    assert found.currency == "USD"
    for price in found.prices.values():
        assert len(price.source) > 20
        assert date(2024, 1, 1) <= price.date <= date(2026, 11, 25)
        assert price.region == "us-east-1"
        assert price.unit
        assert price.amount > 0


def test_a_region_has_its_own_prices_where_the_book_knows_them_and_says_so_where_not(tmp_path: Path):
    path = book(tmp_path / "prices.toml", **{"eu-central-1": "2.5"})

    at_home, abroad = read_book(path), read_book(path, region="eu-central-1")

    assert at_home.prices["glue.dpu_hour"].amount == 1
    assert abroad.prices["glue.dpu_hour"].amount == Decimal("2.5")
    assert abroad.prices["athena.scanned_tb"].region == "us-east-1"
    assert "for want of eu-central-1's own" in abroad.origin
    assert at_home.origin == "list prices of us-east-1, read from 2026-01-02 to 2026-01-02"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('amount = "1"', 'amount = "a"', "amount must be a number of zero or more in quotes, such as '0.44'."),
        ('amount = "1"', 'amount = "-1"', "amount must be a number of zero or more in quotes, such as '0.44'."),
        ('amount = "1"', "amount = 1", 'needs amount = "..."'),
        ("date = 2026-01-02", 'date = "2026-01-02"', "needs a date, such as 2026-06-01."),
        ('source = "somewhere"', 'source = " "', 'needs source = "..."'),
        ("confirmed = true", 'confirmed = "yes"', "needs confirmed = true or false."),
        ('item = "glue.dpu_hour"', 'item = "glue.hour"', "nothing counts glue.hour"),
        ('item = "glue.dpu_hour"', 'item = "athena.scanned_tb"', "has two prices of athena.scanned_tb in us-east-1."),
        ('region = "us-east-1"\n', "", 'The price book needs region = "...".'),
        ("currency", "[", "is no TOML"),
    ],
)
def test_a_wrong_book_is_one_sentence(tmp_path: Path, old: str, new: str, sentence: str):
    path = book(tmp_path / "prices.toml")
    path.write_text(path.read_text().replace(old, new, 1), encoding="utf-8")

    with pytest.raises(PriceBookError) as caught:
        read_book(path)

    assert sentence in str(caught.value)
    assert "LAKEHOUSE_PRICE_BOOK" in caught.value.guidance


def test_a_book_without_a_price_that_is_needed_names_it(tmp_path: Path):
    path = tmp_path / "prices.toml"
    path.write_text('currency = "USD"\nregion = "us-east-1"\n', encoding="utf-8")
    with pytest.raises(PriceBookError, match=r"no price of athena\.scanned_tb, dms\."):
        read_book(path)
    with pytest.raises(PriceBookError, match="cannot be read: No such file"):
        read_book(tmp_path / "absent.toml")


def test_prices_are_those_of_the_lakes_region_and_are_charged_on_aws_alone(settings: Settings, tmp_path: Path):
    assert not current_prices().is_charged
    path = book(tmp_path / "own.toml", **{"eu-central-1": "0.3"})
    settings.LAKEHOUSE = LakehouseEnv(backend=Backend.AWS, lake_uri="s3://bucket/lake", price_book=path)
    settings.AWS = aws_settings(settings.LAKEHOUSE, AwsEnv(region="eu-central-1", dms_task=TASK))

    found = current_prices()

    assert found.is_charged
    assert found.prices["glue.dpu_hour"].amount == Decimal("0.3")


class TestTheDevelopmentMonth:
    """What a published proof of concept reports, from its inputs."""

    def test_every_line_is_within_what_is_reported(self):
        for line in development_month().lines:
            assert line.stated[0] <= line.low <= line.high <= line.stated[1], line.title

    def test_the_month_costs_about_120_to_135(self):
        month = development_month()

        assert Decimal(120) <= month.low < Decimal(122)
        assert Decimal(132) < month.high <= Decimal(135)

    def test_all_but_dms_follow_from_quantities(self):
        assert [line.title for line in development_month().lines if not line.is_priced] == ["DMS"]

    def test_at_list_prices_dms_costs_less_on_one_zone_and_more_on_two(self):
        prices = read_book(STANDARD_BOOK)
        hours, storage = Decimal(730), Decimal(50)  # 100 GB, of which the instance includes 50.

        one = prices.cost_of({"dms.instance_hour": hours, "dms.storage_gb_month": storage})
        two = prices.cost_of({"dms.instance_hour_multi_az": hours, "dms.storage_gb_month": 2 * storage})

        assert one == Decimal("60.135")
        assert two == Decimal("120.270")
