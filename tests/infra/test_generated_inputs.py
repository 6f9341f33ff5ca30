"""The committed inputs of Terraform are what contracts and models say, in words that the modules use."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from config.env import SOURCE_TABLES
from config.terraform_outputs import _VARIABLES
from etl.gold.compile import load_models
from etl.gold.model import Audience
from etl.gold.named_queries import gold_variables, named_query
from etl.replicate.dms_settings import task_settings
from etl.replicate.dms_terraform import argument_name, dms_variables
from tests.architecture.repository import read
from tests.contracts import contract
from tests.infra.test_terraform_names import SCHEMA

DMS = json.loads(read("infra/terraform/dms.auto.tfvars.json"))["dms"]
REPLICATION = read("infra/terraform/modules/replication/main.tf")


def test_the_dms_settings_are_those_of_the_contracts():
    now: Any = dms_variables([contract(name, ("id", "bigint")) for name in SOURCE_TABLES])
    assert now["dms"] == DMS, "manage.py lakehouse dms-settings --write infra/terraform/dms.auto.tfvars.json"


def test_the_gold_queries_are_those_of_the_models():
    committed = json.loads(read("infra/terraform/gold.auto.tfvars.json"))
    assert gold_variables(load_models()) == committed, "manage.py lakehouse named-queries --write ..."


def test_the_mappings_are_documents_that_dms_reads():
    rules = json.loads(DMS["table_mappings"])["rules"]
    assert len(rules) == 2 * len(SOURCE_TABLES)
    assert {rule["expression"] for rule in rules if rule["rule-type"] == "transformation"} == {"$AR_H_CHANGE_SEQ"}
    assert json.loads(DMS["task_settings"]) == task_settings()


@pytest.mark.parametrize(
    ("group", "local", "arguments"),
    [
        ("s3_settings", "s3", SCHEMA["resource"]["aws_dms_s3_endpoint"]["attributes"]),
        (
            "postgres_settings",
            "postgres",
            SCHEMA["resource"]["aws_dms_endpoint"]["blocks"]["postgres_settings"]["attributes"],
        ),
    ],
)
def test_every_setting_reaches_the_endpoint_under_its_own_name(group: str, local: str, arguments: dict[str, Any]):
    used = re.findall(rf"(\w+)\s+= \w*\(?local\.{local}\[\"(\w+)\"\]", REPLICATION)
    assert all(argument == setting for argument, setting in used)
    assert {setting for _, setting in used} == set(DMS[group])
    assert set(DMS[group]) <= set(arguments)


@pytest.mark.parametrize(
    ("setting", "argument"),
    [("Rfc4180", "rfc_4180"), ("CdcMaxBatchInterval", "cdc_max_batch_interval"), ("CaptureDdls", "capture_ddls")],
)
def test_settings_are_named_as_the_provider_names_them(setting: str, argument: str):
    assert argument_name(setting) == argument


def test_queries_over_tenants_ask_for_the_tenant():
    for model in load_models():
        asks = 'WHERE "tenant_id" = ?' in named_query(model)
        assert asks is (model.audience is Audience.TENANT), model.name


def test_every_output_that_settings_need_exists():
    outputs = set(re.findall(r'^output "(\w+)"', read("infra/terraform/outputs.tf"), flags=re.MULTILINE))
    assert set(_VARIABLES) <= outputs


def test_retries_are_left_to_lakeside():
    jobs = read("infra/terraform/modules/jobs/main.tf")
    assert len(re.findall(r"^\s+max_retries\s+= 0\b", jobs, flags=re.MULTILINE)) == jobs.count(
        'resource "aws_glue_job"'
    )
