"""`verify-aws`: a fitting account is well; whatever is wrong with it is found, under its own name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings as DjangoSettings

from config.env import PROJECT
from etl.contracts.store import record_contract
from etl.contracts.table import TableId
from lakehouse_admin import wiring
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.verify import Finding, Verdict, Verification
from tests.aws.account import Account, make_account
from tests.contracts import contract

pytestmark = pytest.mark.integration

ORDERS = contract("orders", ("tenant_id", "bigint"), ("id", "bigint"))


@pytest.fixture(scope="module")
def account(aws_endpoint: str) -> Account:
    made = make_account(aws_endpoint, [ORDERS])
    record_contract(S3Store(made.clients.s3, bucket=made.bucket, prefix="lake/bronze"), ORDERS)
    return made


def verify(account: Account, /, *, may_write: bool = False, **changed: Any) -> dict[str, Finding]:
    settings = replace(account.settings, **changed)
    store = S3Store(account.clients.s3, bucket=account.bucket, prefix="lake/bronze")
    checks = Verification(
        account.clients, settings, bronze=store, tables=[TableId.parse("orders")], may_write=may_write
    )
    return {finding.check: finding for finding in checks.findings()}


def test_a_fitting_account_is_well(account: Account) -> None:
    found = verify(account, may_write=True)
    # Moto runs no SQL, and its queries have no header: what a real account shows is not shown here.
    found.pop("athena-query")
    assert {name: each.says for name, each in found.items() if each.verdict is Verdict.WRONG} == {}
    skipped = [name for name, each in found.items() if each.verdict is Verdict.SKIPPED]
    assert skipped == ["dms-lag", "glue-crawler"]


def test_without_being_told_so_nothing_is_written(account: Account) -> None:
    before = account.clients.s3.list_object_versions(Bucket=account.bucket)["Versions"]
    found = verify(account)
    assert found["conditional-write"].verdict is found["athena-query"].verdict is Verdict.SKIPPED
    assert account.clients.s3.list_object_versions(Bucket=account.bucket)["Versions"] == before


@pytest.mark.parametrize(
    ("changed", "check", "says"),
    [
        ({"account": "210987654321"}, "identity", "are of account 123456789012"),
        ({"lake_uri": "s3://nobodys-bucket/lake"}, "bucket", "404|NoSuchBucket|bucket"),
        ({"dms_task": "arn:aws:dms:eu-central-1:123456789012:task:NONE"}, "dms-task", "no such DMS task"),
        ({"landing_uri": "s3://elsewhere/landing"}, "dms-target", "not 'elsewhere'"),
        ({"source_secret": "no-such-secret"}, "source-secret", "ResourceNotFoundException"),
        ({"glue_job": "no-such-job"}, "glue-job", "EntityNotFoundException"),
        ({"database_prefix": "other_"}, "glue-databases", "no Glue database other_silver, other_gold"),
        ({"glue_crawler": "no-such-crawler"}, "glue-crawler", "EntityNotFoundException"),
        ({"athena_workgroup": "primary"}, "athena-workgroup", "any number of bytes"),
    ],
)
def test_what_does_not_fit_is_found(account: Account, changed: dict[str, str], check: str, says: str) -> None:
    found = verify(account, **changed)[check]
    assert found.verdict is Verdict.WRONG
    assert re.search(says, found.says)


def test_what_changed_in_the_account_is_found(aws_endpoint: str) -> None:
    other = contract("orders", ("tenant_id", "bigint"), ("id", "bigint"), version=2)
    account = make_account(aws_endpoint, [contract("events", ("id", "bigint"))])
    record_contract(S3Store(account.clients.s3, bucket=account.bucket, prefix="lake/bronze"), other)
    account.clients.s3.put_bucket_versioning(Bucket=account.bucket, VersioningConfiguration={"Status": "Suspended"})
    account.clients.s3.put_public_access_block(
        Bucket=account.bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False}
    )
    found = verify(account)
    assert "Enable versioning" in found["bucket-versioning"].says
    assert "BlockPublicPolicy" in found["bucket-public-access"].says
    assert "apply infra/terraform again" in found["dms-mappings"].says


@pytest.fixture
def wired(account: Account, settings: DjangoSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
    settings.AWS = account.settings
    wiring.aws_backend.cache_clear()
    yield
    wiring.aws_backend.cache_clear()


def run(*arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("lakehouse", "verify-aws", *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.usefixtures("wired")
def test_the_verb_prints_a_line_per_check_and_its_exit_code_tells() -> None:
    code, text = run()
    assert code == 0, text
    assert re.search(r"^ok +dms-task ", text, flags=re.MULTILINE)
    code, text = run("--write", "--json")
    document = json.loads(text)
    assert code == (0 if document["well"] else 1)
    assert len(document["checks"]) == 17


def test_the_verb_on_the_embedded_backend_says_what_to_set(settings: DjangoSettings) -> None:
    settings.AWS = None
    wiring.aws_backend.cache_clear()
    code, text = run()
    assert code == 1
    assert "LAKEHOUSE_BACKEND=aws" in text


def test_the_checklist_names_every_check(account: Account) -> None:
    page = (PROJECT / "docs" / "aws-checklist.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([a-z-]+)` \|", page, flags=re.MULTILINE)
    assert sorted(named) == sorted(verify(account))
