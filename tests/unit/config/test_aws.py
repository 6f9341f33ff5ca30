"""The aws backend's settings: complete by environment; what does not go together is one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.aws import AwsSettings, aws_settings
from config.env import AwsEnv, AwsEnvironment, Backend, Environment, LakehouseEnv, SettingsError, parse

TASK = "arn:aws:dms:eu-central-1:123456789012:task:LAKESIDE"
LAKE = LakehouseEnv(backend=Backend.AWS, lake_uri="s3://bucket/lake")
DEV = AwsEnv(region="eu-central-1", dms_task=TASK)
PROD = replace(DEV, environment=AwsEnvironment.PROD, account="123456789012", kms_key="alias/lakeside")
PRODUCTION = replace(LAKE, environment=Environment.PRODUCTION)


def complete(lakehouse: LakehouseEnv = LAKE, aws: AwsEnv = DEV) -> AwsSettings:
    found = aws_settings(lakehouse, aws)
    assert found is not None
    return found


def test_the_embedded_backend_needs_nothing_of_it() -> None:
    assert aws_settings(LakehouseEnv(), AwsEnv()) is None


def test_names_follow_from_the_environment() -> None:
    found = complete()
    assert (found.glue_job, found.athena_workgroup, found.source_secret, found.database_prefix, found.landing_uri) == (
        "lakeside-dev-transform",
        "lakeside-dev",
        "lakeside-dev-source",
        "lakeside_dev_",
        "s3://bucket/lake/landing",
    )
    assert found.account == "123456789012"
    staging = complete(aws=replace(DEV, environment=AwsEnvironment.STAGING, glue_job="mine"))
    assert (staging.glue_job, staging.athena_workgroup) == ("mine", "lakeside-staging")
    assert found.query_timeout_seconds > staging.query_timeout_seconds
    assert complete(PRODUCTION, PROD).athena_workgroup == "lakeside-prod"


@pytest.mark.parametrize(
    ("lakehouse", "aws", "sentence"),
    [
        (LakehouseEnv(lake_uri="s3://bucket/lake"), AwsEnv(), "keeps the lake in a folder"),
        (replace(LAKE, lake_uri="/srv/lake"), DEV, "set LAKEHOUSE_LAKE_URI to s3://bucket/prefix"),
        (replace(LAKE, lake_uri="s3://bucket"), DEV, "set LAKEHOUSE_LAKE_URI to s3://bucket/prefix"),
        (LAKE, replace(DEV, region=None), "LAKEHOUSE_AWS_REGION is required"),
        (LAKE, replace(DEV, dms_task=None), "LAKEHOUSE_DMS_TASK is required"),
        (LAKE, replace(DEV, region="us-east-1"), "is in eu-central-1, but LAKEHOUSE_AWS_REGION is us-east-1"),
        (LAKE, replace(DEV, account="210987654321"), "another account"),
        (LAKE, replace(DEV, dms_landing_uri="s3://bucket/lake/bronze/x"), "must not overlap"),
        (LAKE, replace(DEV, dms_landing_uri="s3://bucket/lake"), "must not overlap"),
        (LAKE, PROD, "set LAKEHOUSE_ENV=production"),
        (PRODUCTION, replace(PROD, account=None), "LAKEHOUSE_AWS_ACCOUNT is required in prod"),
        (PRODUCTION, replace(PROD, kms_key=None), "LAKEHOUSE_S3_KMS_KEY is required in prod"),
        (PRODUCTION, replace(PROD, endpoint="http://localhost:5000"), "are for emulators"),
        (PRODUCTION, replace(PROD, s3_endpoint="http://localhost:5000"), "are for emulators"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(lakehouse: LakehouseEnv, aws: AwsEnv, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        aws_settings(lakehouse, aws)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LAKEHOUSE_AWS_ENVIRONMENT", "production"),
        ("LAKEHOUSE_AWS_REGION", "Frankfurt"),
        ("LAKEHOUSE_AWS_ACCOUNT", "12345"),
        ("LAKEHOUSE_DMS_TASK", "LAKESIDE"),
        ("LAKEHOUSE_DMS_TASK", "arn:aws:dms:eu-central-1:123456789012:endpoint:X"),
        ("LAKEHOUSE_DMS_LANDING_URI", "/srv/landing"),
        ("LAKEHOUSE_DMS_LANDING_URI", "s3://bucket"),
        ("LAKEHOUSE_AWS_ENDPOINT", "localhost:5000"),
    ],
)
def test_a_wrong_value_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must"):
        parse({name: text})


def test_every_part_is_read_from_its_variable() -> None:
    values: dict[str, Any] = {"LAKEHOUSE_AWS_REGION": "us-gov-west-1", "LAKEHOUSE_GLUE_CRAWLER": "eyes"}
    found = parse(values).aws
    assert (found.region, found.glue_crawler) == ("us-gov-west-1", "eyes")
