"""The environment: precedence, checks, and sentences that help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import env

OWNER = "postgresql://lakehouse:secret-word@127.0.0.1:5433/lakeside"
APP = "postgresql://lakeside_app:other-word@127.0.0.1:5433/lakeside"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path


def read(project: Path, **values: str) -> env.Env:
    return env.read({"LAKEHOUSE_HOME": str(project / "var"), **values}, project=project)


def offer_stack(project: Path, **values: str) -> None:
    folder = project / "var" / "run"
    folder.mkdir(parents=True)
    (folder / "embedded.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def test_nothing_has_to_be_set(project: Path):
    found = read(project)
    assert found.database_url is None
    assert found.lakehouse.environment is env.Environment.DEVELOPMENT
    assert found.lakehouse.lake_uri == str(project / "var" / "lake")
    assert found.lakehouse.source_tables == env.SOURCE_TABLES
    assert not found.debug


def test_an_empty_variable_counts_as_unset(project: Path):
    assert read(project, LAKEHOUSE_JOB_MEMORY_BYTES="").lakehouse.job_memory_bytes == 2 * 1024**3


def test_values_are_typed(project: Path):
    found = read(
        project,
        DJANGO_DEBUG="true",
        DJANGO_ALLOWED_HOSTS="a.example, b.example",
        DJANGO_CSRF_TRUSTED_ORIGINS="https://a.example",
        LAKEHOUSE_ENV="production",
        LAKEHOUSE_BACKEND="aws",
        LAKEHOUSE_JOB_MEMORY_BYTES="1000000",
        LAKEHOUSE_LAKE_URI="s3://lake/root",
    )
    assert found.debug
    assert found.allowed_hosts == ("a.example", "b.example")
    assert found.csrf_trusted_origins == ("https://a.example",)
    assert found.lakehouse.environment is env.Environment.PRODUCTION
    assert found.lakehouse.backend is env.Backend.AWS
    assert found.lakehouse.job_memory_bytes == 1_000_000
    assert found.lakehouse.lake_uri == "s3://lake/root"


def test_relative_folders_count_from_the_project(tmp_path: Path):
    assert env.read({"LAKEHOUSE_HOME": "var"}, project=tmp_path).lakehouse.home == env.PROJECT / "var"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://host/db", "must look like postgresql://user:password@host:5432/database"),
        ("APP_DATABASE_URL", "postgresql://host/", "must look like postgresql://"),
        ("LAKEHOUSE_SOURCE_URL", "postgresql://host:port/db", "must look like postgresql://"),
        ("REDIS_URL", "http://host", "must look like redis://"),
        ("DJANGO_SECRET_KEY", "short", "must be at least 50 random characters"),
        ("DJANGO_ALLOWED_HOSTS", " , ", "must be a comma-separated list"),
        ("DJANGO_CSRF_TRUSTED_ORIGINS", "a.example", "must start with http:// or https://"),
        ("DJANGO_DEBUG", "maybe", "must be true or false, not 'maybe'"),
        ("EMAIL_URL", "http://mail.example.com", "must look like smtp://user:password@host:587"),
        ("EMAIL_FROM", "nobody", "must be an e-mail address"),
        ("LAKEHOUSE_ALERT_EMAILS", "a@example.com, b c@example.com", "must be an e-mail address"),
        ("LAKEHOUSE_ALERT_WEBHOOKS", "file:///etc/passwd", "must start with http:// or https://"),
        ("LAKEHOUSE_ALERT_LAG_BYTES", "-1", "must be"),
        ("LAKEHOUSE_ENV", "staging", "must be development or production, not 'staging'"),
        ("LAKEHOUSE_BACKEND", "gcp", "must be embedded or aws, not 'gcp'"),
        ("LAKEHOUSE_LAKE_URI", "gs://bucket", "must be a folder or start with s3://"),
        ("LAKEHOUSE_JOB_MEMORY_BYTES", "0", "must be a whole number above zero, not '0'"),
        ("LAKEHOUSE_JOB_MEMORY_BYTES", "-5", "must be a whole number above zero"),
        ("LAKEHOUSE_JOB_MEMORY_BYTES", "2GB", "must be a whole number above zero"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_the_variable(project: Path, name: str, value: str, sentence: str):
    with pytest.raises(env.SettingsError, match=re.escape(sentence)) as caught:
        read(project, **{name: value})
    assert str(caught.value).startswith(f"{name} ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "DJANGO_SECRET_KEY", "LAKEHOUSE_CATALOG_URL"])
def test_a_secret_is_never_repeated(project: Path, name: str):
    with pytest.raises(env.SettingsError) as caught:
        read(project, **{name: "hunter2://x"})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_lakehouse_variable_is_refused_with_the_nearest_known_one(project: Path):
    with pytest.raises(
        env.SettingsError, match=r"LAKEHOUSE_JOB_MEMORY in the environment .* LAKEHOUSE_JOB_MEMORY_BYTES"
    ):
        read(project, LAKEHOUSE_JOB_MEMORY="5")


def test_other_programs_variables_are_none_of_our_business(project: Path):
    read(project, POSTGRES_PASSWORD="x", DJANGO_UNKNOWN="y")


def test_the_environment_wins_over_the_env_file(project: Path):
    (project / ".env").write_text("DJANGO_DEBUG=true\nDJANGO_ALLOWED_HOSTS=file.example\n")
    found = read(project, DJANGO_ALLOWED_HOSTS="environment.example")
    assert found.debug
    assert found.allowed_hosts == ("environment.example",)


def test_the_env_file_may_hold_comments_quotes_and_export(project: Path):
    (project / ".env").write_text("# comment\n\nexport DJANGO_DEBUG='true'\nLAKEHOUSE_S3_KMS_KEY=\"lake\"\n")
    found = read(project)
    assert found.debug
    assert found.aws.kms_key == "lake"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("DJANGO_DEBUG\n", "line 1: write NAME=value"), ("LAKEHOUSE_HOEM=x\n", "did you mean LAKEHOUSE_HOME")],
)
def test_a_broken_env_file_is_one_sentence(project: Path, text: str, sentence: str):
    (project / ".env").write_text(text)
    with pytest.raises(env.SettingsError, match=sentence):
        read(project)


def test_a_running_stack_completes_what_is_missing(project: Path):
    offer_stack(project, DATABASE_URL=OWNER, APP_DATABASE_URL=APP, REDIS_URL="redis://:word@127.0.0.1:7000/0")
    found = read(project, REDIS_URL="redis://elsewhere:6379/0")
    assert found.database_url == OWNER
    assert found.app_database_url == APP
    assert found.redis_url == "redis://elsewhere:6379/0"


def test_a_running_stack_is_not_mixed_with_another_database(project: Path):
    offer_stack(project, DATABASE_URL=OWNER, APP_DATABASE_URL=APP, LAKEHOUSE_SOURCE_URL=APP, REDIS_URL="redis://h:1/0")
    found = read(project, DATABASE_URL="postgresql://me@elsewhere/shop")
    assert found.app_database_url is None
    assert found.lakehouse.source_url is None
    assert found.redis_url == "redis://h:1/0"


def test_a_supervised_process_reads_its_environment_alone(project: Path):
    (project / ".env").write_text(f"DATABASE_URL={OWNER}\n")
    offer_stack(project, DATABASE_URL=OWNER)
    assert read(project, LAKEHOUSE_SUPERVISED="true").database_url is None


def test_the_settings_page_describes_every_variable_and_no_other():
    page = (env.PROJECT / "docs" / "settings.md").read_text(encoding="utf-8")
    described = re.findall(r"^\| `([A-Z0-9_]+)` \|", page, flags=re.MULTILINE)
    assert sorted(described) == sorted(env.variables())


def test_the_example_file_names_every_variable_a_person_sets_and_parses():
    text = (env.PROJECT / ".env.example").read_text(encoding="utf-8")
    named = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", text, flags=re.MULTILINE)
    assert {name for name, _ in named} == set(env.variables()) - {"LAKEHOUSE_SUPERVISED"}
    env.parse({name: value for name, value in named if name != "DJANGO_SECRET_KEY"})


def test_webhooks_are_not_sent_unsigned(project: Path):
    hooks = {"LAKEHOUSE_ALERT_WEBHOOKS": "https://hooks.example.com/hunter2, https://other.example.com"}
    with pytest.raises(env.SettingsError, match="needs LAKEHOUSE_ALERT_WEBHOOK_SECRET") as caught:
        read(project, **hooks)
    assert "hunter2" not in str(caught.value)
    found = read(project, **hooks, LAKEHOUSE_ALERT_WEBHOOK_SECRET="s" * 32)
    assert found.lakehouse.alert_webhooks == ("https://hooks.example.com/hunter2", "https://other.example.com")


def test_names_of_tables_are_read_as_sql_writes_them(project: Path):
    found = read(project, LAKEHOUSE_SOURCE_TABLES='orders, lab."log, v2","a.b"."c""d", Front Desk.Patient')
    assert found.lakehouse.source_tables == ("orders", 'lab."log, v2"', '"a.b"."c""d"', "Front Desk.Patient")
    with pytest.raises(env.SettingsError, match="each double quote closed"):
        read(project, LAKEHOUSE_SOURCE_TABLES='orders,"log')
