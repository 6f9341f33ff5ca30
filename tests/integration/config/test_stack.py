"""The life of a running stack: what it offers, keeps to itself, survives, and leaves behind."""

from __future__ import annotations

import signal
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from config.embedded.ports import free_port
from config.embedded.postgres import Postgres
from config.embedded.run_folder import RunFolder
from config.embedded.valkey import Valkey
from etl.replicate.status import STATUS_NAME, ReplicatorState, ReplicatorStatus, StatusFile
from tests.stack import Stack, new_home, running

SECRETS = ("DATABASE_URL", "LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL")
POLL_SECONDS = 0.1


@pytest.fixture(scope="module")
def up() -> Iterator[Stack]:
    with new_home() as home, running(home, "up", "--port", str(free_port())) as stack:
        stack.wait_until_ready()
        yield stack


def eventually(condition: Callable[[], bool], *, timeout_seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def child(stack: Stack, name: str) -> psutil.Process:
    process = next(each for each in stack.record.children if each.name == name).process()
    assert process is not None
    return process


def live_children(stack: Stack) -> list[psutil.Process]:
    found = [each.process() for each in stack.record.children]
    return [process for process in found if process is not None and not has_ended(process)]


def family(stack: Stack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def urls(stack: Stack) -> dict[str, str]:
    lines = stack.folder.environment_file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_healthz_answers_once_the_stack_says_that_it_is_ready(up: Stack):
    assert up.health() == (200, '{"status": "ok"}')


def test_other_programs_find_the_servers(up: Stack):
    with psycopg.connect(urls(up)["DATABASE_URL"]) as connection:
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)
    assert set(urls(up)) == {*SECRETS, "APP_DATABASE_URL", "REDIS_URL"}


def test_what_is_secret_is_closed_to_others(up: Stack):
    files = [up.folder.environment_file, *(up.home / "private").iterdir(), up.home / "valkey" / "valkey.conf"]
    assert len(files) > 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    folders = [up.home / name for name in ("run", "private", "postgres", "valkey", "log")]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_no_secret_is_on_a_command_line_or_in_a_log(up: Stack):
    secrets = [file.read_text() for file in (up.home / "private").iterdir()]
    shown = [" ".join(process.cmdline()) for process in family(up)]
    shown += [log.read_text(errors="replace") for log in (up.home / "log").iterdir()]
    shown.append(up.output)
    assert shown
    assert not [text for text in shown for secret in secrets if secret in text]


def test_each_process_gets_only_the_urls_it_needs(up: Stack):
    given = {name: child(up, name).environ() for name in ("web", "beat", "worker", "replicator", "follower")}
    assert {name: [each for each in SECRETS if each in values] for name, values in given.items()} == {
        "web": [],
        "beat": [],
        "worker": ["LAKEHOUSE_SOURCE_URL", "LAKEHOUSE_CATALOG_URL"],
        "replicator": ["LAKEHOUSE_SOURCE_URL"],
        "follower": ["LAKEHOUSE_CATALOG_URL"],
    }
    assert not {"APP_DATABASE_URL", "REDIS_URL"} & given.pop("replicator").keys()
    assert all("lakeside_app" in values["APP_DATABASE_URL"] for values in given.values())


def test_starting_it_again_says_that_it_runs_and_where(up: Stack):
    again = up.command("up")
    assert (again.returncode, again.stdout) == (0, f"Lakeside already runs: {up.url}\n")
    same = up.command("up", "--port", str(up.record.port))
    assert (same.returncode, same.stdout) == (0, f"Lakeside already runs: {up.url}\n")


def test_starting_it_again_on_another_port_is_refused(up: Stack):
    other = up.command("up", "--port", str(free_port()))
    assert other.returncode == 1
    assert f"Lakeside already runs on port {up.record.port}" in other.stderr


@pytest.mark.parametrize(("name", "missing"), [("Valkey", "broker"), ("PostgreSQL", "database"), ("worker", "worker")])
def test_healthz_names_the_part_that_hangs_and_recovers(up: Stack, name: str, missing: str):
    part = child(up, name)
    part.send_signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        status, body = up.health()
        seconds = time.monotonic() - started
    finally:
        part.send_signal(signal.SIGCONT)
    assert status == 503
    assert missing in body
    assert seconds < 1.5
    assert eventually(lambda: up.health()[0] == 200), up.output


@pytest.mark.parametrize("name", ["Valkey", "PostgreSQL", "worker", "beat", "replicator", "follower", "web"])
def test_what_dies_is_started_again_and_told(up: Stack, name: str):
    # Others may give up on their own when a server goes, and be on their way back.
    assert eventually(lambda: len(live_children(up)) == 7), up.output
    dead, before = child(up, name), len(up.output)
    dead.kill()
    told = [f"{name} ended (signal SIGKILL)", f"{name} is running again."]
    assert eventually(lambda: all(line in up.output[before:] for line in told)), up.output
    assert child(up, name).pid != dead.pid
    assert eventually(lambda: up.health()[0] == 200), up.output


def status_of(stack: Stack) -> ReplicatorStatus | None:
    return StatusFile(stack.home / "lake" / "bronze" / STATUS_NAME).read()


def test_the_replicator_follows_the_shop_and_stops_with_the_others(up: Stack):
    def is_streaming() -> bool:
        status = status_of(up)
        return status is not None and status.state is ReplicatorState.STREAMING

    assert eventually(is_streaming), (up.home / "log" / "replicator.log").read_text()
    before = status_of(up)
    assert before is not None
    with psycopg.connect(urls(up)["DATABASE_URL"]) as connection:
        connection.execute(
            "INSERT INTO tenants (slug, name, plan, currency, timezone, metadata, created_at, updated_at)"
            " VALUES ('followed', 'Followed', 'starter', 'EUR', 'UTC', '{}', now(), now())"
        )
    assert eventually(lambda: (now := status_of(up)) is not None and now.changes > 0)
    now = status_of(up)
    assert now is not None
    assert (now.tables, now.error_message) == ((), None)
    told = up.command("lakehouse", "status")
    assert "Replicator: well" in told.stdout
    resynced = up.command("lakehouse", "resync", "tenants")
    assert "loads public.tenants anew." in resynced.stdout, resynced.stderr
    refused = up.command("lakehouse", "resync", "nothing")
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (1, "No table nothing is selected.")
    checked = up.command("lakehouse", "check-source")
    assert (checked.returncode, checked.stdout) == (0, "The source is ready: 8 tables can be replicated.\n")


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is over, be it that nobody has collected its exit code yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def order_of_end(processes: dict[str, psutil.Process | None]) -> list[str]:
    """Watch processes until all have ended; return their names as they ended."""
    remaining = {name: process for name, process in processes.items() if process is not None}
    order: list[str] = []
    deadline = time.monotonic() + 60
    while remaining and time.monotonic() < deadline:
        for name in [name for name, process in remaining.items() if has_ended(process)]:
            order.append(name)
            del remaining[name]
        time.sleep(0.002)
    return order


def run_beside(home: Path, *arguments: str, values: dict[str, str] | None = None) -> tuple[int, str]:
    stack = Stack(home, *arguments, values=values)
    code = stack.wait()
    output = stack.output
    stack.output_file.unlink()
    return code, output


def test_down_without_a_stack_says_so(home: Path):
    assert run_beside(home, "down") == (0, "Lakeside does not run.\n")


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(home: Path, up: Stack):
    code, output = run_beside(home, "up", "--port", str(up.record.port))
    assert code == 1
    assert (
        f"Port {up.record.port} is in use: choose another with PORT=<number>, or leave PORT out." in output.splitlines()
    )
    assert not (home / "postgres").exists()


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_keeps_the_data(home: Path):
    port = str(free_port())
    with running(home, "up", "--port", port) as stack:
        stack.wait_until_ready()
        with psycopg.connect(urls(stack)["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        processes = family(stack)
        assert len(processes) > 5
        stack.send(signal.SIGKILL)
        stack.wait()
        assert eventually(lambda: all(map(has_ended, processes)))
        assert stack.folder.environment_file.exists()
    with running(home, "up", "--port", port) as stack:
        stack.wait_until_ready()
        with psycopg.connect(urls(stack)["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_down_stops_clients_before_their_servers_and_leaves_nothing(home: Path):
    with running(home, "up", "--port", str(free_port())) as stack:
        stack.wait_until_ready()
        processes = family(stack)
        children = {each.name: each.process() for each in stack.record.children}
        with ThreadPoolExecutor(1) as pool:
            order = pool.submit(order_of_end, children)
            done = stack.command("down")
        assert (done.returncode, done.stdout) == (0, "Lakeside has stopped.\n")
        assert stack.wait(timeout_seconds=5) == 0, stack.output
        assert order.result() == ["beat", "replicator", "follower", "worker", "web", "Valkey", "PostgreSQL"]
        assert all(map(has_ended, processes))
        assert not stack.folder.environment_file.exists()
        assert stack.folder.record() is None
        assert not stack.folder.is_claimed()


def test_a_signal_while_it_starts_stops_what_was_started(home: Path):
    with running(home, "up", "--port", str(free_port())) as stack:
        folder = RunFolder(home)
        assert eventually(lambda: (record := folder.record()) is not None and len(record.children) > 0)
        processes = family(stack)
        stack.send(signal.SIGINT)
        assert stack.wait() == 0
        assert all(map(has_ended, processes))
        assert "ready" not in stack.output


def test_given_servers_replace_the_embedded_ones(home: Path):
    with new_home() as elsewhere:
        postgres, valkey = Postgres(home=elsewhere, durable=False), Valkey(home=elsewhere)
        try:
            postgres.start()
            valkey.start()
            given = {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url}
            with running(home, "up", "--port", str(free_port()), values=given) as stack:
                stack.wait_until_ready()
                assert {each.name for each in stack.record.children} == {
                    "worker",
                    "beat",
                    "replicator",
                    "follower",
                    "web",
                }
                assert urls(stack).items() >= given.items()
                with psycopg.connect(urls(stack)["APP_DATABASE_URL"]) as connection:
                    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
            assert not (home / "postgres").exists()
            assert not (home / "valkey").exists()
        finally:
            valkey.stop()
            postgres.stop()


def test_a_database_that_does_not_answer_is_one_sentence(home: Path):
    code, output = run_beside(home, "up", values={"DATABASE_URL": f"postgresql://me:word@127.0.0.1:{free_port()}/shop"})
    assert code == 1
    assert "The database of DATABASE_URL does not answer: start it, or correct the URL." in output
    assert "Traceback" not in output


def test_stopping_the_demo_while_it_seeds_leaves_an_empty_source(home: Path):
    with running(home, "demo", "--scale", "medium", "--port", str(free_port())) as stack:
        log = home / "log" / "seed_data.log"
        assert eventually(log.exists, timeout_seconds=60), stack.output
        stack.send(signal.SIGINT)
        assert stack.wait() == 0, stack.output
    server = Postgres(home=home)
    try:
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (0,)
    finally:
        server.stop()
