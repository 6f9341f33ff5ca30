"""Kills replicator, follower and PostgreSQL under load, and holds what arrived against what was committed.

A round has a database, a lake and a witness of its own. Two lanes run side by side: one starts
a replicator that is doomed, waits for its end and starts the next; the other does so with
followers. Between kills PostgreSQL itself is ended now and then. At the end of a round
everything is let through, and compared (`tests.fault.oracle`).

The seed chooses what is written and what is killed where. The kernel chooses how these meet.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from config import env
from config.embedded.errors import StackError
from config.embedded.postgres import Postgres
from config.provisioning import provision, publish
from etl.follow import failpoint as follow
from etl.gold import failpoint as gold
from etl.replicate import failpoint as replicate
from etl.silver import failpoint as silver
from tests.fault import oracle
from tests.fault.oracle import Verdict
from tests.fault.processes import POINT_LOADING, Forked, Lake, Nursery, point_of
from tests.fault.traffic import TABLES, Load, Traffic

REPLICATOR_POINTS = tuple(
    point_of(moment) for moment in replicate.Moment if moment is not replicate.Moment.SLOT_CREATED
)
FOLLOWER_POINTS = tuple(
    point_of(moment)
    for moment in (*silver.Moment, *gold.Moment, *follow.Moment)
    if moment is not silver.Moment.QUARANTINED  # The source's own types keep such rows out of this traffic.
)

KILLS_A_ROUND = 60
_TRANSACTIONS_A_SECOND = 40.0
_PATIENCE_SECONDS = 6.0
_CATCH_UP_SECONDS = 90.0
_LOOK_SECONDS = 0.03
_SERVER_SHARE = 1 / 20
_RANDOM_SHARE = 0.25
_PAUSED_SHARE = 0.05
_SAMPLED = 15
_CAUSES = {
    point_of(replicate.Moment.MID_TRANSACTION): Traffic._in_pieces,
    point_of(silver.Moment.EVOLVED): Traffic._change_columns,
    point_of(silver.Moment.TOMBSTONES_COMMITTED): Traffic._delete,
}
"""What to write for a point to be passed that is seldom passed."""


class BrokenPromiseError(AssertionError):
    """The product did something else than it promises."""


@dataclass
class Report:
    """What one chaos run did and found."""

    kills: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    transactions: int = 0
    rounds: int = 0
    seconds: float = 0.0

    def lines(self) -> Iterator[str]:
        """Yield the table that is printed."""
        yield f"{'killed at':<32}{'kills':>8}"
        for name, kills in sorted(self.kills.items()):
            yield f"{name:<32}{kills:>8}"
        yield f"{'all':<32}{self.kills.total():>8}"
        yield ""
        yield (
            f"{self.transactions:,} transactions with {self.verdict.events:,} events in {self.rounds} rounds: "
            f"{self.verdict.lost} lost, {self.verdict.doubled} doubled; "
            f"{self.verdict.publications:,} publications; {self.seconds:.0f} s"
        )
        yield from (f"WRONG: {problem}" for problem in self.verdict.problems)


class Server:
    """A PostgreSQL of our own, with the product's schema, that may be killed."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.postgres = Postgres(home=home)
        self.values: dict[str, str] = {}

    def start(self) -> None:
        """Create it, with the product's roles."""
        self.postgres.start()
        self.values = {
            "LAKEHOUSE_SUPERVISED": "true",
            "LAKEHOUSE_HOME": str(self.home),
            "REDIS_URL": "redis://127.0.0.1:1/0",  # Nothing of this path needs a broker: there is none.
            **provision(self.postgres.url, home=self.home),
        }

    def migrate(self) -> None:
        """Make the product's tables, and the publication of those that are followed."""
        subprocess.run(
            [sys.executable, str(env.PROJECT / "manage.py"), "migrate", "--database", "owner", "--no-input"],
            env={**env.child_environment(self.values), "DJANGO_SETTINGS_MODULE": "config.settings.test"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        publish(self.postgres.url, source_url=self.values["LAKEHOUSE_SOURCE_URL"], tables=TABLES)

    def restart(self, number: signal.Signals, *, away_seconds: float) -> None:
        """End the server as a signal does, and start it again after a while. Only from the main thread."""
        process = self.postgres.process
        assert process is not None
        process.send_signal(number)
        process.wait(60)
        self.postgres.process = None
        time.sleep(away_seconds)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.postgres.start()
            except StackError:  # Backends of the killed one are still there.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """How a process will end."""

    point: str = ""
    """Where it kills itself; empty if somebody else does."""
    times: int = 1
    after_seconds: float = _PATIENCE_SECONDS
    """When it is killed at the latest."""
    is_paused: bool = False
    """Whether it is paused before, until another one has taken over."""


def dooms(points: Sequence[str], rng: random.Random, *, longest_seconds: float, can_pause: bool) -> Iterator[Doom]:
    """Yield ends without end: each point comes once before any comes again, with others in between."""
    while True:
        for point in rng.sample(points, len(points)):
            while rng.random() < _RANDOM_SHARE:
                is_paused = can_pause and rng.random() < _PAUSED_SHARE / _RANDOM_SHARE
                yield Doom(after_seconds=rng.uniform(0.05, longest_seconds), is_paused=is_paused)
            yield Doom(point=point, times=rng.choice((1, 1, 2, 4)))


class Round:
    """One database and lake, from the first load to the comparison."""

    def __init__(self, server: Server, nursery: Nursery, folder: Path, *, seed: int, report: Report) -> None:
        self.server = server
        self.nursery = nursery
        self.seed = seed
        self.report = report
        self.rng = random.Random(seed)
        urls = server.values
        self.lake = Lake(
            lake_uri=str(folder / "lake"),
            source_url=urls["LAKEHOUSE_SOURCE_URL"],
            catalog_url=urls["LAKEHOUSE_CATALOG_URL"],
            tables=TABLES,
        )
        self.bronze = oracle.Bronze(self.lake.bronze)
        self._ended = threading.Event()
        self._finished = threading.Semaphore(0)
        self._left = 0
        self._lock = threading.Lock()
        self._failures: list[BaseException] = []

    def run(self, kills: int) -> None:
        """Kill so many times, and compare."""
        self._left = kills
        with Traffic(self._owner_url, self.seed) as traffic:
            traffic.open_shops()
        with self._connect() as source:
            oracle.watch(source)
        with Load(self._owner_url, self.seed, rate=_TRANSACTIONS_A_SECOND) as load:
            self._begin()
            replicators = dooms(REPLICATOR_POINTS, random.Random(self.seed + 1), longest_seconds=1.0, can_pause=False)
            followers = dooms(FOLLOWER_POINTS, random.Random(self.seed + 2), longest_seconds=2.5, can_pause=True)
            lanes = [
                threading.Thread(target=self._lane, args=(*of, load), daemon=True)
                for of in (("replicator", replicators, kills // 2), ("follower", followers, kills - kills // 2))
            ]
            for lane in lanes:
                lane.start()
            try:
                self._end_servers(load, lanes=len(lanes))
            finally:
                self._ended.set()
                for lane in lanes:
                    lane.join()
            if self._failures:
                raise self._failures[0]
            with load.resting():
                self.report.verdict.add(self._compare())
        self.report.transactions += load.transactions
        self.report.rounds += 1

    def _begin(self) -> None:
        """Have a replicator take the first load, which a kill or two interrupt; then load silver and gold once."""
        for _ in range(self.rng.randint(0, 2)):
            if not self._take():
                break
            self._end(self.nursery.fork("replicator", self.lake, point=POINT_LOADING), Doom(point=POINT_LOADING))
        replicator = self.nursery.fork("replicator", self.lake)
        loads = self.lake.bronze / "_manifests" / "loads"
        self._wait(lambda: loads.is_dir() and any(loads.iterdir()), replicator)
        self.bronze.begin()
        first_run = self.nursery.fork("first_run", self.lake)
        assert first_run.wait(_CATCH_UP_SECONDS), "the first run does not end"
        assert self._publications(), f"the first run failed: {first_run.log.read_text()[-2000:]}"
        replicator.kill()

    def _lane(self, role: str, ends: Iterator[Doom], share: int, load: Load) -> None:
        """Start one process after another, and see each end, so many times at most; the last one lives on."""
        try:
            for doom in islice(ends, share):
                if self._ended.is_set() or not self._take():
                    break
                if doom.point in _CAUSES:
                    load.ask(_CAUSES[doom.point])
                process = self.nursery.fork(role, self.lake, point=doom.point, times=doom.times)
                if doom.is_paused:
                    self._overtake(process, doom)
                else:
                    self._end(process, doom)
            survivor = self.nursery.fork(role, self.lake)
            self._finished.release()
            self._ended.wait()
            survivor.kill()
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits for this one
            self._failures.append(error)
            self._finished.release()

    def _end(self, process: Forked, doom: Doom) -> None:
        name = doom.point
        if not process.wait(doom.after_seconds):
            name = f"{process.log.stem[5:]}: any moment"
            process.kill()
        elif not doom.point or not process.passed(doom.point):
            raise BrokenPromiseError(f"{process.log} ended by itself: {process.log.read_text()[-2000:]}")
        self._note(name)

    def _overtake(self, process: Forked, doom: Doom) -> None:
        """Pause a follower in its work, let another one take over and work, wake it, kill both."""
        process.wait(max(doom.after_seconds, 0.6))
        process.send(signal.SIGSTOP)
        heir = self.nursery.fork("follower", self.lake)
        heir.wait(1.5)
        process.send(signal.SIGCONT)
        process.wait(0.5)
        process.kill()
        heir.kill()
        self._note("follower: paused, overtaken")

    def _end_servers(self, load: Load, *, lanes: int) -> None:
        """End PostgreSQL now and then until the lanes have finished."""
        next_at = time.monotonic() + self.rng.uniform(2, 5)
        while lanes and not self._failures:
            if self._finished.acquire(timeout=_LOOK_SECONDS):
                lanes -= 1
            if load.error is not None:
                raise load.error
            if time.monotonic() >= next_at:
                if self._take():
                    number = self.rng.choice((signal.SIGKILL, signal.SIGQUIT, signal.SIGINT))
                    self.server.restart(number, away_seconds=self.rng.choice((0.0, 0.4, 0.8, 2.0)))
                    self._note(f"PostgreSQL: {number.name}")
                next_at = time.monotonic() + self.rng.uniform(0.5, 1.5) / _SERVER_SHARE / 2

    def _compare(self) -> Verdict:
        """Let everything through, and hold it against what was committed."""
        replicator = self.nursery.fork("replicator", self.lake)
        follower = self.nursery.fork("follower", self.lake)
        try:
            with self._connect() as source:
                events = [event for event in oracle.witnessed(source) if event[0] > self.bronze.load_lsn]
                last_lsn = max((event[0] for event in events), default=0)
                problems: list[str] = []
                self._wait(lambda: self._has(last_lsn), replicator, follower)
                found = self.bronze.read(problems)
                self._wait(self._rests, replicator, follower)
                counted = oracle.compare_events(events, found)
                counted.problems += problems
                counted.problems += [f"{key} is in no manifest" for key in self.bronze.strangers()]
                publications = self._publications()
                counted.publications = len(publications)
                tables = oracle.compare_silver(source, source, counted.problems)
                oracle.compare_gold(publications[-1], tables, counted.problems)
                oracle.check_publications(publications, counted.problems)
                for row in self.rng.sample(publications, min(_SAMPLED, len(publications))):
                    oracle.check_consistent(row, counted.problems)
            return counted
        finally:
            replicator.kill()
            follower.kill()

    def _has(self, lsn: int) -> bool:
        manifests = sorted((self.lake.bronze / "_manifests" / "changes").rglob("*.json"))
        return (bool(manifests) and int(manifests[-1].stem, 16) >= lsn) or not lsn

    def _rests(self) -> bool:
        """Tell whether the newest publication has all of bronze, and every model in it is of now."""
        newest = self._publications()[-1]
        return newest["source_lsn"] >= self.bronze.position and not any(pin["as_of"] for pin in newest["pins"])

    def _publications(self) -> list[dict]:
        with psycopg.connect(self._owner_url, row_factory=dict_row) as connection:
            return connection.execute(
                "SELECT number, as_of, source_lsn, pins FROM lakehouse_publications ORDER BY number"
            ).fetchall()

    def _wait(self, condition: Callable[[], bool], *alive: Forked) -> None:
        deadline = time.monotonic() + _CATCH_UP_SECONDS
        while not condition():
            for process in alive:
                if process.wait(0):
                    raise BrokenPromiseError(f"{process.log} ended by itself: {process.log.read_text()[-3000:]}")
            if time.monotonic() > deadline:
                said = "\n".join(process.log.read_text()[-3000:] for process in alive)
                raise BrokenPromiseError(f"What was committed does not arrive within {_CATCH_UP_SECONDS:.0f} s. {said}")
            time.sleep(_LOOK_SECONDS)

    def _take(self) -> bool:
        """Take one of the kills that are left; tell whether there was one."""
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _note(self, name: str) -> None:
        with self._lock:
            self.report.kills[name] += 1

    @property
    def _owner_url(self) -> str:
        return self.server.values["DATABASE_URL"]

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._owner_url, autocommit=True)


@contextmanager
def opened() -> Iterator[tuple[Server, Nursery, Path]]:
    """Give a server, a nursery on it and a folder; all are gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="lakeside-chaos-"))
    home.chmod(0o711)
    server = Server(home)
    with ExitStack() as resources:
        resources.callback(shutil.rmtree, home, ignore_errors=True)
        resources.callback(server.postgres.stop)
        server.start()
        (home / "logs").mkdir()
        nursery = Nursery(server.values, home / "logs")
        resources.callback(nursery.close)
        yield server, nursery, home


def run(kills: int, seed: int, *, say: Callable[[str], object]) -> Report:
    """Kill so many times, in as many rounds as that takes."""
    report, began = Report(), time.monotonic()
    with opened() as (server, nursery, home):
        server.migrate()
        number = 0
        while report.kills.total() < kills and not report.verdict.problems:
            folder = home / f"round-{number}"
            folder.mkdir()
            this = min(KILLS_A_ROUND, kills - report.kills.total())
            try:
                Round(server, nursery, folder, seed=seed + 1_000 * number, report=report).run(this)
            except AssertionError as error:
                report.verdict.problems.append(str(error))
            report.seconds = time.monotonic() - began
            say(f"round {number + 1}: {report.kills.total()} kills, {report.verdict.events:,} events, "
                f"{report.verdict.lost} lost, {report.verdict.doubled} doubled, {report.seconds:.0f} s")  # fmt: skip
            number += 1
            if report.kills.total() < kills:
                _empty(server)
    return report


def _empty(server: Server) -> None:
    """Leave the database as it was before the first round."""
    with psycopg.connect(server.values["DATABASE_URL"], autocommit=True) as owner:
        slots = owner.execute("SELECT slot_name::text FROM pg_replication_slots").fetchall()
        for (name,) in slots:
            owner.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active", [])
            _retried(lambda name=name: owner.execute("SELECT pg_drop_replication_slot(%s)", [name]))
        owner.execute("SET session_replication_role = replica")  # Past the triggers of append-only tables.
        owner.execute(
            f"TRUNCATE {', '.join((*TABLES, 'lakehouse_publications', 'lakehouse_leases', 'lakehouse_follower'))}"
            " CASCADE".encode()
        )
        owner.execute("DELETE FROM lake.iceberg_tables; DELETE FROM lake.iceberg_namespace_properties")
        columns = owner.execute(
            "SELECT column_name::text FROM information_schema.columns"
            " WHERE table_name = 'events' AND column_name LIKE 'more%'"
        ).fetchall()
        for (name,) in columns:
            owner.execute(f"ALTER TABLE events DROP COLUMN {name}".encode())


def _retried(act: Callable[[], object]) -> None:
    """Do it once the slot's reader, which was ended, is gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            act()
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_SECONDS)
        else:
            return
