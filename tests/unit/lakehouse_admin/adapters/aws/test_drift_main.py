"""The drift job's exit code: what alarms hear."""

from __future__ import annotations

import pytest

from lakehouse_admin.adapters.aws import drift_main
from lakehouse_admin.adapters.aws.crawler import CrawlerUnavailableError
from tests.contracts import contract

ORDERS = contract("orders", ("id", "bigint"), ("total", "decimal(12,2)"))
SEEN = ("op", "_committed_at", "id", "total", "_change_seq")
ASKED = [
    *("--lakeside_lake_uri", "s3://lake/lake", "--lakeside_database", "lakeside_dev_landing"),
    *("--lakeside_tables", "orders,events", "--lakeside_region", "eu-central-1", "--JOB_NAME", "drift"),
]


@pytest.mark.parametrize(
    ("columns", "code", "sentence"),
    [(SEEN, drift_main.EQUAL, "no difference"), (SEEN[:3] + SEEN[4:], drift_main.DIFFERENT, "lacks total")],
)
def test_a_difference_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: tuple[str, ...],
    code: int,
    sentence: str,
):
    monkeypatch.setattr(drift_main, "newest_contract", lambda _, table: ORDERS if table == ORDERS.table else None)
    monkeypatch.setattr(drift_main, "crawled_columns", lambda *_: {"orders": columns})
    assert drift_main.main(ASKED) == code
    told = capsys.readouterr()
    assert sentence in told.out + told.err


def test_no_answer_is_no_agreement(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def unavailable(*_: object) -> None:
        raise CrawlerUnavailableError

    monkeypatch.setattr(drift_main, "newest_contract", lambda *_: ORDERS)
    monkeypatch.setattr(drift_main, "crawled_columns", unavailable)
    assert drift_main.main(ASKED) == drift_main.UNKNOWN
    assert "did not answer" in capsys.readouterr().err
