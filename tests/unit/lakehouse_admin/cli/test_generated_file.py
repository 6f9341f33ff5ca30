"""Generated files: written whole, compared honestly."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lakehouse_admin.cli import named_queries
from lakehouse_admin.cli.generated_file import FileNotWrittenError
from lakehouse_admin.cli.verb import Output


def ask(**options: object) -> tuple[int, str]:
    out = io.StringIO()
    code = named_queries.handle(
        {"write": None, "check": None, **options}, Output(out=out, progress=io.StringIO(), as_json=False)
    )
    return code, out.getvalue()


def test_what_is_written_is_what_is_printed(tmp_path: Path):
    file = tmp_path / "gold.auto.tfvars.json"
    assert ask(write=file)[0] == 0
    assert file.read_text() == ask()[1]
    assert ask(check=file) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_file_that_says_something_else_is_shown(tmp_path: Path):
    file = tmp_path / "gold.auto.tfvars.json"
    file.write_text(ask()[1].replace("daily_revenue", "daily_venue", 1))
    code, told = ask(check=file)
    assert code == 1
    assert "daily_venue" in told


@pytest.mark.parametrize("option", ["write", "check"])
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, option: str):
    with pytest.raises(FileNotWrittenError, match="nowhere"):
        ask(**{option: tmp_path / "nowhere" / "file.json"})
