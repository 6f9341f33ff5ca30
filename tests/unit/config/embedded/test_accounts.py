"""Whom servers run as, and which folders that account may pass."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from config.embedded.accounts import Account, account_for

NOBODY = Account.named("nobody")


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        (Path(path) / "inner").mkdir(mode=0o755)
        yield Path(path)


def test_an_account_may_pass_folders_that_are_open_to_all(folder: Path):
    assert NOBODY.can_enter(folder / "inner")


def test_one_closed_folder_on_the_way_is_enough(folder: Path):
    folder.chmod(0o700)
    assert not NOBODY.can_enter(folder / "inner")


def test_a_name_that_does_not_exist_is_no_account():
    assert Account.named("no-such-account-here") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="about ordinary users")
def test_ordinary_users_run_servers_themselves(folder: Path):
    assert account_for(folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
def test_root_runs_servers_as_an_ordinary_account(folder: Path):
    assert account_for(folder / "new").name in {"postgres", "nobody"}


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
def test_root_goes_on_with_the_account_that_owns_the_data(folder: Path):
    os.chown(folder / "inner", NOBODY.uid, NOBODY.gid)
    assert account_for(folder / "inner") == NOBODY
