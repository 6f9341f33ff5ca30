"""`lakehouse dms-settings` over the real source: what is committed for Terraform is what the source says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from config.env import PROJECT
from etl.contracts.source import open_source, read_contracts
from etl.contracts.store import record_contract
from etl.contracts.table import TableId
from lakehouse_admin.wiring import source_url
from tests.fakes import FakeStore
from tests.integration.lakehouse_admin.test_command import Answer

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

COMMITTED = PROJECT / "infra/terraform/dms.auto.tfvars.json"


def test_the_committed_file_is_up_to_date():
    answer = Answer("dms-settings", "--check", str(COMMITTED))
    assert answer.code == 0, answer.out
    assert json.loads(Answer("dms-settings").out) == json.loads(COMMITTED.read_text())


def test_recorded_contracts_say_the_same(monkeypatch: pytest.MonkeyPatch, settings: object):
    store = FakeStore()
    monkeypatch.setattr("lakehouse_admin.cli.dms_settings.bronze", lambda: store)
    missing = Answer("dms-settings", "--recorded")
    assert missing.code == 1
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]  # type: ignore[attr-defined]
    with open_source(source_url()) as connection:
        for each in read_contracts(connection, tables):
            record_contract(store, each)
    assert Answer("dms-settings", "--recorded").out == COMMITTED.read_text()


def test_a_table_that_is_left_out_is_told(settings: object):
    settings.LAKEHOUSE = replace(settings.LAKEHOUSE, source_tables=("orders",))  # type: ignore[attr-defined]
    answer = Answer("dms-settings", "--check", str(COMMITTED))
    assert answer.code == 1
    assert "customers" in answer.out
