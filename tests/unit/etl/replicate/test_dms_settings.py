"""What DMS is told: in names that DMS has, for the files that we read."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from etl.bronze.layout import fields
from etl.replicate.dms_settings import (
    postgres_source_settings,
    s3_target_settings,
    table_mappings,
    task_settings,
)
from tests.aws.service import _strangers
from tests.contracts import contract

ORDERS = contract("orders", ("tenant_id", "bigint"), ("id", "bigint"))
ODD = contract("shop_eu.100%_[x]", ("id", "bigint"))
TARGET = s3_target_settings(bucket="lake", folder="landing", role_arn="arn:role", account="123456789012", kms_key="key")
SOURCE = postgres_source_settings(database="shop", secret="lakeside-dev-source", role_arn="arn:role")


@pytest.mark.parametrize(("shape", "document"), [("S3Settings", TARGET), ("PostgreSQLSettings", SOURCE)])
def test_every_name_and_value_is_one_that_dms_knows(shape: str, document: dict[str, Any]) -> None:
    model = get_session().get_service_model("dms").shape_for(shape)
    assert not ParamValidator().validate(document, model).has_errors()
    assert not _strangers(model, document, shape)


def test_no_secret_stands_in_the_source_endpoint() -> None:
    assert not {"Password", "Username", "ServerName"} & SOURCE.keys()
    assert SOURCE["SecretsManagerSecretId"] == "lakeside-dev-source"


def test_the_settings_make_the_header_that_we_read() -> None:
    """Op first, the commit time second, the columns, the added column last."""
    assert TARGET["IncludeOpForFullLoad"] is TARGET["AddColumnName"] is True
    added = [rule for rule in rules(ORDERS) if rule["rule-type"] == "transformation"]
    assert ("Op", TARGET["TimestampColumnName"], *ORDERS.column_names, added[0]["value"]) == fields(ORDERS)


def test_without_a_key_the_bucket_decides_on_encryption() -> None:
    bare = s3_target_settings(bucket="lake", folder="landing", role_arn="arn:role", account="123456789012")
    assert "EncryptionMode" not in bare


def test_the_mappings_are_the_tables_and_nothing_else() -> None:
    found = rules(ORDERS, ODD)
    assert [rule["rule-id"] for rule in found] == ["1", "2", "3", "4"]
    selected = [rule["object-locator"] for rule in found if rule["rule-type"] == "selection"]
    assert selected == [
        {"schema-name": "public", "table-name": "orders"},
        {"schema-name": "shop[_]eu", "table-name": "100[%][_][[]x]"},
    ]
    assert {rule["rule-action"] for rule in found} == {"explicit", "add-column"}


def test_no_table_is_no_mapping() -> None:
    with pytest.raises(ValueError, match="at least one"):
        table_mappings([])


def test_the_task_rather_fails_than_cuts() -> None:
    settings: Any = task_settings()
    assert settings["TargetMetadata"]["FullLobMode"] is False
    assert settings["ErrorBehavior"]["DataTruncationErrorPolicy"] == "STOP_TASK"
    assert SOURCE["FailTasksOnLobTruncation"] is True


def rules(*contracts: Any) -> list[dict[str, Any]]:
    found: Any = table_mappings(contracts)["rules"]
    return list(found)
