"""The repository's files, as git knows them."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

_BINARY = {".png", ".ico", ".woff2", ".gz", ".parquet"}


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Return every file that is committed, or new and not ignored, relative to the project."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return tuple(sorted(path for name in listed.split("\0") if name and (PROJECT / (path := Path(name))).is_file()))


def text_files(*suffixes: str) -> list[Path]:
    """Return the text files among them, those ending with one of ``suffixes`` if any are given."""
    return [
        path for path in tracked_files() if path.suffix not in _BINARY and (not suffixes or path.suffix in suffixes)
    ]


def read(path: Path | str) -> str:
    """Return a file's text."""
    return (PROJECT / path).read_text(encoding="utf-8")
