"""The embedded PostgreSQL over its data: what it goes on with, ends, or refuses with a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded.errors import StackError
from config.embedded.postgres import Postgres


@pytest.fixture
def server(home: Path):
    postgres = Postgres(home=home, durable=False)
    try:
        postgres.start()
        yield postgres
    finally:
        postgres.stop()


def another(server: Postgres) -> Postgres:
    """A second supervisor's view of the same data."""
    return Postgres(home=server.home, durable=False)


def test_a_stopped_server_goes_on_with_its_data(server: Postgres):
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    server.start()
    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_passwords_are_asked_for(server: Postgres):
    wrong = server.url.replace(server.url.split(":")[2].split("@")[0], "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_a_server_left_behind_is_ended(server: Postgres):
    left_behind = server.process
    assert another(server).end_leftover() == left_behind.pid
    assert left_behind.wait(timeout=5) is not None


def test_a_pid_file_that_names_a_stranger_blocks_nothing(server: Postgres):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    pid_file = server.home / "postgres" / "data" / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        try:
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            assert another(server).end_leftover() is None
            assert psutil.pid_exists(stranger.pid)
            again = another(server)
            try:
                again.start()
            finally:
                again.stop()
        finally:
            stranger.kill()


def test_data_of_another_version_is_refused_and_left_alone(server: Postgres):
    server.stop()
    version = server.home / "postgres" / "data" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(StackError, match=r"was written by PostgreSQL 9, but .* holds"):
        another(server).start()
    assert version.read_text() == "9\n"


def test_data_without_its_password_is_refused_and_left_alone(server: Postgres):
    server.stop()
    (server.home / "private" / "postgres_password").unlink()
    with pytest.raises(StackError, match="postgres_password is missing: restore it"):
        another(server).start()
    assert (server.home / "postgres" / "data").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as somebody else")
def test_root_runs_it_as_an_ordinary_account_that_owns_its_data(server: Postgres):
    owner = (server.home / "postgres").stat().st_uid
    assert owner != 0
    assert psutil.Process(server.process.pid).uids().real == owner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as somebody else")
def test_a_folder_closed_to_its_account_since_is_named(server: Postgres):
    server.stop()
    server.home.chmod(0o700)
    with pytest.raises(StackError, match=r"may not pass the folders down to .*chmod a\+x"):
        another(server).start()
