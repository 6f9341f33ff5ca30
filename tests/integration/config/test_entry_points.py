"""Whatever is started with a broken setting ends with one sentence and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config import env

ENTRY_POINTS = {
    "manage.py": ["manage.py", "check"],
    "celery": ["-m", "celery", "--app=config.celery", "worker"],
    "gunicorn": ["-m", "gunicorn", "--bind=127.0.0.1:0", "config.wsgi"],
}
PRODUCTION = {
    "LAKEHOUSE_ENV": "production",
    "DJANGO_SECRET_KEY": "k3y" * 10 + "which-nobody-else-has-got-XYZ-0123456789",
    "DJANGO_ALLOWED_HOSTS": "lakeside.example",
}


def run(home: Path, arguments: list[str], **values: str) -> subprocess.CompletedProcess[str]:
    basics = {name: text for name, text in env.child_environment({}).items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=env.PROJECT,
        env={**basics, "LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(home), **values},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"LAKEHOUSE_JOB_MEMORY_BYTES": "lots"},
            "LAKEHOUSE_JOB_MEMORY_BYTES must be a whole number above zero, not 'lots'.",
        ),
        (
            {**PRODUCTION, "DJANGO_SECRET_KEY": ""},
            "DJANGO_SECRET_KEY is required in production: set at least 50 random characters.",
        ),
    ],
)
def test_a_broken_setting_is_one_sentence(tmp_path: Path, entry_point: str, values: dict[str, str], sentence: str):
    done = run(tmp_path, ENTRY_POINTS[entry_point], **values)
    assert (done.returncode, done.stderr.strip()) == (2, sentence)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"DJANGO_ALLOWED_HOSTS": ""}, "DJANGO_ALLOWED_HOSTS is required in production"),
        ({"DJANGO_DEBUG": "true"}, "DJANGO_DEBUG must be false in production"),
    ],
)
def test_production_refuses_what_would_be_unsafe(tmp_path: Path, changed: dict[str, str], sentence: str):
    done = run(tmp_path, ENTRY_POINTS["manage.py"], **{**PRODUCTION, **changed})
    assert done.returncode == 2
    assert done.stderr.startswith(sentence)


def test_production_passes_the_deployment_checks_without_a_warning(tmp_path: Path):
    done = run(tmp_path, ["manage.py", "check", "--deploy", "--fail-level", "WARNING"], **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout + done.stderr


def test_production_never_generates_a_key(tmp_path: Path):
    run(tmp_path, ENTRY_POINTS["manage.py"], **PRODUCTION)
    assert list(tmp_path.iterdir()) == []


def test_development_generates_a_private_key_once(tmp_path: Path):
    key = tmp_path / "private" / "secret_key"
    assert run(tmp_path, ENTRY_POINTS["manage.py"]).returncode == 0
    first = key.read_text()
    assert run(tmp_path, ENTRY_POINTS["manage.py"]).returncode == 0
    assert key.read_text() == first
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(first) >= 50


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").touch()
    done = run(tmp_path / "file" / "home", ENTRY_POINTS["manage.py"])
    assert done.returncode == 2
    assert done.stderr.strip().endswith("correct LAKEHOUSE_HOME or its permissions.")
    assert len(done.stderr.splitlines()) == 1


def test_a_stack_whose_home_cannot_be_written_is_one_sentence(tmp_path: Path):
    (tmp_path / "run").touch()
    done = run(tmp_path, ["manage.py", "up"])
    assert done.returncode == 1
    assert done.stderr == (
        f"{tmp_path}/run cannot be used: File exists. Free space, correct its permissions, "
        "or set LAKEHOUSE_HOME to another folder.\n"
    )


def test_a_command_without_a_database_says_what_to_do(tmp_path: Path):
    done = run(tmp_path, ["manage.py", "showmigrations"])
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "PostgreSQL does not answer: start the stack with `manage.py up`, or set DATABASE_URL.",
        "APP_DATABASE_URL is not set and no stack is running.",
    ]


def test_a_command_whose_database_is_gone_says_what_to_do(tmp_path: Path):
    done = run(tmp_path, ["manage.py", "showmigrations"], APP_DATABASE_URL="postgresql://me:word@127.0.0.1:1/shop")
    assert done.returncode == 1
    assert done.stderr.startswith("PostgreSQL does not answer")
    assert "Traceback" not in done.stderr
    assert "word" not in done.stderr
