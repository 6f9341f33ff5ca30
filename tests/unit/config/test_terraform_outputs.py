"""From `terraform output -json` to settings that start: whole, checked, without secrets, or not at all."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from config.aws import aws_settings
from config.env import SettingsError, parse
from config.terraform_outputs import OutputsError, env_values, merged
from tests.architecture.repository import PROJECT

RECORDED = (PROJECT / "tests/infra/outputs.json").read_text(encoding="utf-8")


def changed(name: str, **fields: Any) -> str:
    document = json.loads(RECORDED)
    document[name] |= fields
    return json.dumps(document)


def test_the_settings_start_the_aws_backend():
    values = env_values(RECORDED)
    read = parse(values)
    settings = aws_settings(read.lakehouse, read.aws)
    assert settings is not None
    assert settings.dms_task.endswith(":task:ABCDEFGH")
    assert settings.landing_uri == "s3://lakeside-dev-landing-123456789012-eu-central-1/landing"
    assert read.lakehouse.source_tables == ("public.customers", "public.orders")
    assert "LAKEHOUSE_ENV" not in values


def test_prod_is_production():
    assert env_values(changed("environment", value="prod"))["LAKEHOUSE_ENV"] == "production"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "not the JSON"),
        ("Error: no state", "not the JSON"),
        ("[]", "every output has a value"),
        ('{"region": "eu-central-1"}', "every output has a value"),
        ("{}", "no outputs yet"),
        ('{"region": {"value": "eu-central-1"}}', "lack environment, account"),
        (changed("source_secret", sensitive=True), "source_secret is sensitive"),
        (changed("dms_task", value=None), "dms_task is None"),
        (changed("source_tables", value=[]), "source_tables is"),
        (changed("glue_job", value="a\nDJANGO_DEBUG=true"), "glue_job is"),
    ],
)
def test_what_is_no_such_document_is_refused(document: str, sentence: str):
    with pytest.raises(OutputsError, match=sentence):
        env_values(document)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [("region", "nowhere", "LAKEHOUSE_AWS_REGION"), ("region", "eu-west-1", "LAKEHOUSE_DMS_TASK is in eu-central-1")],
)
def test_values_are_checked_as_at_start(name: str, value: str, sentence: str):
    with pytest.raises(SettingsError, match=sentence):
        env_values(changed(name, value=value))


def test_other_lines_of_a_file_stay():
    before = "# ours\nEMAIL_FROM=a@b\nexport LAKEHOUSE_AWS_REGION=eu-west-1\n\nLAKEHOUSE_BACKEND=embedded\n"
    after = merged(before, {"LAKEHOUSE_BACKEND": "aws", "LAKEHOUSE_AWS_REGION": "eu-central-1", "LAKEHOUSE_SLOT": "s"})
    assert (
        after
        == "# ours\nEMAIL_FROM=a@b\nLAKEHOUSE_AWS_REGION=eu-central-1\n\nLAKEHOUSE_BACKEND=aws\nLAKEHOUSE_SLOT=s\n"
    )
    assert merged(after, {"LAKEHOUSE_SLOT": "s"}) == after


def test_the_command_sets_them_privately(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / ".env"
    file.write_text("EMAIL_FROM=a@b\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(RECORDED))
    call_command("env_from_terraform", into=file, stderr=io.StringIO())
    text = file.read_text()
    assert text.startswith("EMAIL_FROM=a@b\nLAKEHOUSE_BACKEND=aws\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_wrong_document_leaves_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / ".env"
    file.write_text("EMAIL_FROM=a@b\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("{}"))
    with pytest.raises(SystemExit, match="terraform apply"):
        call_command("env_from_terraform", into=file)
    assert file.read_text() == "EMAIL_FROM=a@b\n"
