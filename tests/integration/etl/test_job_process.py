"""What every job's process promises, whatever the job: documents in, documents out, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).parents[3]


def run_job(folder: Path, *names: str, document: object) -> subprocess.CompletedProcess[str]:
    text = document if isinstance(document, str) else json.dumps(document)
    return subprocess.run(
        [sys.executable, "-m", "etl.jobs", *names], input=text, capture_output=True, text=True, cwd=PROJECT, check=False
    )


def asked(folder: Path, **secrets: str) -> dict[str, object]:
    return {
        "arguments": {"lake_uri": str(folder), "tables": ["orders"], "request_id": "r"},
        "secrets": secrets,
        "result_path": str(folder / "result.json"),
        "progress_path": str(folder / "progress.json"),
    }


def test_an_unknown_job_is_refused_and_those_there_are_are_listed(tmp_path: Path):
    ended = run_job(tmp_path, "full_lode", document=asked(tmp_path))
    result = json.loads((tmp_path / "result.json").read_text())
    assert ended.returncode == 1
    assert result["error_class"] == "etl.ports.job_runner.JobRefusedError"
    assert "There is no job full_lode" in result["error_message"]
    assert "full_load" in result["error_message"]


@pytest.mark.parametrize("name", ["progress", "document", "__main__", "os.path", "../jobs/full_load"])
def test_only_jobs_are_jobs(tmp_path: Path, name: str):
    run_job(tmp_path, name, document=asked(tmp_path))
    assert "There is no job" in json.loads((tmp_path / "result.json").read_text())["error_message"]


def test_a_missing_secret_is_named(tmp_path: Path):
    assert run_job(tmp_path, "full_load", document=asked(tmp_path)).returncode == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["error_message"] == "The job needs the argument source_url."


@pytest.mark.parametrize("document", ["", "[]", "{}", "not json", {"arguments": {}}])
def test_an_unusable_document_is_one_sentence_and_its_own_exit_code(tmp_path: Path, document: object):
    ended = run_job(tmp_path, "full_load", document=document)
    assert ended.returncode == 2
    assert ended.stderr.startswith("The job's document is unusable")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("names", [(), ("full_load", "orders")])
def test_a_wrong_command_line_says_the_right_one(tmp_path: Path, names: tuple[str, ...]):
    ended = run_job(tmp_path, *names, document="")
    assert ended.returncode == 2
    assert ended.stderr == "usage: python -m etl.jobs NAME < document.json\n"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "[broken"])
def test_a_secret_within_an_errors_text_is_blacked_out(tmp_path: Path, host: str):
    url = f"postgresql://someone:hunt%20er2@{host}/nowhere?application_name=hunt%20er2"
    ended = run_job(tmp_path, "full_load", document=asked(tmp_path, source_url=url))
    assert ended.returncode == 1
    result = (tmp_path / "result.json").read_text()
    assert "etl.ports.replicator.Source" in result
    for text in (result, ended.stdout, ended.stderr, (tmp_path / "progress.json").read_text()):
        assert "hunt%20er2" not in text
        assert "hunt er2" not in text


def test_an_error_of_no_class_of_ours_is_a_result_too(tmp_path: Path):
    document = asked(tmp_path, source_url="postgresql://")
    document["arguments"] = {"lake_uri": str(tmp_path), "tables": [], "request_id": "r"}
    assert run_job(tmp_path, "full_load", document=document).returncode == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["error_class"] == "builtins.ValueError"
    assert set(result) == {"state", "error_class", "error_message", "guidance"}
