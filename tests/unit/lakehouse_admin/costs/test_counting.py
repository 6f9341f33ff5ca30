"""What is counted of a stage, and of a question."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lakehouse_admin.costs.counting import Moved, Spent, charged_bytes, stage_use
from lakehouse_admin.costs.prices import ITEMS
from lakehouse_admin.states import Stage

MOVED = Moved(tables=2, bronze_files=5, bronze_bytes=2**30, silver_bytes=2**29, partitions=6, models=3)


@pytest.mark.parametrize("stage", list(Stage))
def test_whatever_is_counted_has_a_price(stage: Stage):
    assert stage_use(stage, Spent(seconds=90), MOVED).keys() <= ITEMS


def test_a_load_is_hours_of_dms_a_job_that_takes_it_in_and_a_month_of_keeping_it():
    used = stage_use(Stage.REPLICATE, Spent(seconds=1800), MOVED)

    assert used == {
        "dms.instance_hour": Decimal("0.5"),
        "glue.dpu_hour": Decimal(120) / 3600,
        "s3.write_request": Decimal(17),
        "s3.read_request": Decimal(5),
        "s3.storage_gb_month": Decimal(1),
    }


@pytest.mark.parametrize(
    ("metered", "seconds", "dpu_seconds"),
    [
        ({}, 10, 120),  # Nothing metered: the smallest job, a minute at least.
        ({}, 90, 180),
        ({"dpu_seconds": 500.0, "seconds": 100.0}, 130, 500),
        ({"dpu_seconds": 50.0, "seconds": 10.0}, 12, 300),  # Five DPUs for ten seconds: charged for a minute.
        ({"dpu_seconds": 0.0, "seconds": 0.0}, 12, 120),
    ],
)
def test_glue_charges_what_it_metered_and_a_minute_at_least(
    metered: dict[str, float], seconds: float, dpu_seconds: int
):
    used = stage_use(Stage.GOLD, Spent(seconds=seconds, metered=metered), MOVED)

    assert used["glue.dpu_hour"] == Decimal(dpu_seconds) / 3600


def test_publishing_is_free_and_reading_keeps_nothing():
    assert stage_use(Stage.PUBLISH, Spent(seconds=5), MOVED) == {}
    quality = stage_use(Stage.QUALITY, Spent(seconds=5), MOVED)
    assert (quality["s3.write_request"], quality["s3.storage_gb_month"]) == (0, 0)


def test_athena_charges_ten_megabytes_at_least():
    assert charged_bytes(0) == 10 * 2**20
    assert charged_bytes(2**30) == 2**30
