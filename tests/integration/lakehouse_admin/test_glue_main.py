"""The Glue job's script: whatever happens to it ends as one result, and a secret in none of what it leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl.ports.replicator import SourceUnavailableError
from lakehouse_admin.adapters.aws import glue_main
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.errors import RequestRefusedError
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.retry import find_class
from tests.aws.account import Account, make_account
from tests.aws.service import ACCOUNT, REGION
from tests.contracts import contract

pytestmark = pytest.mark.integration

SOURCE = "postgresql://replicator:p%40ssw0rd-of-the-source@127.0.0.1:1/shop"
KMS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/lakeside"


@pytest.fixture(scope="module")
def account(aws_endpoint: str) -> Account:
    return make_account(aws_endpoint, [contract("orders", ("id", "bigint"))], source_url=SOURCE)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tests")


class Folder:
    """A job's folder on S3, and what it is asked there."""

    def __init__(self, account: Account, key: str) -> None:
        self.account = account
        self.key = key
        self.store = S3Store(account.clients.s3, bucket=account.bucket, prefix=f"lake/jobs/{key}")

    def run(self, name: str = "dms_intake", *, secret: str | None = None, **arguments: Any) -> int:
        settings = self.account.settings
        asked = {
            "lake_uri": settings.lake_uri,
            "landing_uri": settings.landing_uri,
            "request_id": self.key,
            "task": "lakeside-dev",
            "started_at": "2026-11-23T08:00:00+00:00",
            "tables": ["public.orders"],
            "rows": [1],
            **arguments,
        }
        self.store.put("spec.json", json.dumps({"name": name, "arguments": asked}).encode())
        return glue_main.main([
            *("--lakeside_key", self.key),
            *("--lakeside_spec", self.store.uri("spec.json")),
            *("--lakeside_source_secret", secret or settings.source_secret),
            *("--lakeside_endpoint", str(settings.endpoint)),
            *("--lakeside_region", REGION),
            *("--JOB_NAME", settings.glue_job),
        ])  # fmt: skip

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store.get("result.json"))
        return found

    def bronze(self) -> list[str]:
        bronze = S3Store(self.account.clients.s3, bucket=self.account.bucket, prefix="lake/bronze")
        return [info.key for info in bronze.list("")]


def test_a_job_that_fails_leaves_its_error_and_no_secret(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Folder(account, "no-source")
    assert folder.run() == glue_main.FAILED
    result = folder.result()
    assert result["state"] == "failed"
    assert find_class(result["error_class"]) is SourceUnavailableError
    assert result["guidance"]
    assert not folder.bronze(), "nothing half-written is left"
    left = capsys.readouterr()
    for info in folder.store.list(""):
        assert b"ssw0rd" not in folder.store.get(info.key)
    assert "ssw0rd" not in left.out + left.err
    assert "Traceback" in left.err, "the log says where"


def test_a_secret_that_does_not_exist_is_a_failure_of_the_job(account: Account) -> None:
    folder = Folder(account, "no-secret")
    assert folder.run(secret="nobodys") == glue_main.FAILED
    assert find_class(folder.result()["error_class"]) is RequestRefusedError


def test_a_job_that_nobody_knows_is_a_failure_of_the_job(account: Account) -> None:
    folder = Folder(account, "no-job")
    assert folder.run("no_such_job", database_prefix="lakeside_dev_") == glue_main.FAILED
    assert folder.result()["state"] == "failed"


def test_what_the_job_asks_of_s3_names_the_owner_and_the_key(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = AwsClients(region=REGION, endpoint=account.settings.endpoint)
    seen: list[dict[str, Any]] = []
    clients.s3.meta.events.register("provide-client-params.s3", lambda params, **_: seen.append(params))
    monkeypatch.setattr(glue_main, "AwsClients", lambda **_: clients)
    Folder(account, "owned").run(account=ACCOUNT, kms_key=KMS_KEY)
    asked_what, *others = seen  # Who owns it stands in what is asked for first.
    assert asked_what["Key"].endswith("spec.json")
    assert others
    assert {asked.get("ExpectedBucketOwner") for asked in others} == {ACCOUNT}
    assert {asked.get("SSEKMSKeyId") for asked in others if "Body" in asked} == {KMS_KEY}
