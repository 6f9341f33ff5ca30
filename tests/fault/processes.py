"""The processes under test: each a fork of one that has imported everything, and has nothing open.

A fork takes milliseconds where a start takes two seconds, and a kill is a kill: the fork alone
holds the files, connections and locks that die with it.

``python -m tests.fault.processes`` is the near end. No test imports it into its own process.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from config import env
from etl.engine.lake import LakeConfig
from etl.gold.model import GoldModel

SLOT = "lakeside_chaos"
FLUSH_SECONDS = 0.1
POINT_LOADING = "replicate: slot created"

_LASTING_SECONDS = 0.4
_ANSWER_SECONDS = 60.0
_MODELS = frozenset(
    {
        "daily_revenue",
        "tenant_summary",
        "invoice_ageing",
        "customer_days",
        "daily_visits",
        "customer_acquisition_monthly",
        "daily_active_customers",
        "customer_lifetime_value",
        "platform_usage",
        "product_performance",
    }
)
"""Every way that a model is kept up to date: by tenant, by day, whole, patiently, from other models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """What the processes work on. Its URLs hold passwords: it travels over a pipe."""

    lake_uri: str
    source_url: str = field(repr=False)
    catalog_url: str = field(repr=False)
    tables: tuple[str, ...]

    @property
    def bronze(self) -> Path:
        """Where bronze is."""
        return Path(self.lake_uri) / "bronze"


class Forked:
    """One process under test."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        self._descriptor = os.pidfd_open(pid)
        weakref.finalize(self, os.close, self._descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send it, and nobody else, a signal."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, number)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; tell whether it has ended."""
        return bool(select.select([self._descriptor], [], [], max(0.0, seconds))[0])

    def passed(self, point: str) -> bool:
        """Tell whether it killed itself at a point: it might have ended by an error before."""
        return _killed_at(point) in self.log.read_bytes()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        assert self.wait(_ANSWER_SECONDS), "a killed process does not end"


def _killed_at(point: str) -> bytes:
    return f"killed itself at {point}\n".encode()


class Nursery:
    """Forks processes; ends them when it ends."""

    def __init__(self, values: Mapping[str, str], folder: Path) -> None:
        """Start importing and return at once.

        Args:
            values: Lakeside's variables.
            folder: For the processes' logs.
        """
        self.folder = folder
        self._lock = threading.Lock()
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.processes"],
            env={**env.child_environment(values), "DJANGO_SETTINGS_MODULE": "config.settings.test"},
            cwd=env.PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def fork(self, role: str, lake: Lake, *, point: str = "", times: int = 1) -> Forked:
        """Start a process that works on a lake, and kills itself when it passes a point for the n-th time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._number += 1
            log = self.folder / f"{self._number:04d}-{role}.log"
            order = {"role": role, "lake": asdict(lake), "point": point, "times": times, "log": str(log)}
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        assert answer, "the process that forks the others has ended"
        return Forked(int(answer), log)

    def close(self) -> None:
        """End it, and with it every process that it forked."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(_ANSWER_SECONDS)
        self._process.stdout.close()


# --- The near end.


class _Moment(Protocol):
    @property
    def value(self) -> str: ...


def point_of(moment: _Moment) -> str:
    """Return a moment's name among those of all stages, e.g. ``silver: committed``."""
    return f"{type(moment).__module__.split('.')[1]}: {moment.value}"


def _failpoint(point: str, times: int) -> Callable[[_Moment], None]:
    left = times

    def passed(moment: _Moment) -> None:
        nonlocal left
        if point and point_of(moment) == point:
            left -= 1
            if left <= 0:
                os.write(sys.stderr.fileno(), _killed_at(point))
                os.kill(os.getpid(), signal.SIGKILL)

    return passed


def _stopped_by_signal() -> threading.Event:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    return stop


def _replicator(lake: Lake, failpoint: Callable[[_Moment], None]) -> None:
    from etl.bronze.directory import DirectoryStore
    from etl.contracts.table import TableId
    from etl.quality.fingerprint import source_fingerprint_sql
    from etl.replicate.failpoint import Moment
    from etl.replicate.serve import serve
    from etl.replicate.session import ReplicatorConfig
    from etl.replicate.status import STATUS_NAME, ReplicatorState, ReplicatorStatus, StatusFile

    config = ReplicatorConfig(
        source_url=lake.source_url,
        tables=tuple(TableId.parse(table) for table in lake.tables),
        slot=SLOT,
        flush_seconds=FLUSH_SECONDS,
    )
    file = StatusFile(lake.bronze / STATUS_NAME)

    def put(status: ReplicatorStatus) -> None:
        file.write(status)
        if status.state is ReplicatorState.LOADING and status.loaded_rows:
            failpoint(Moment.SLOT_CREATED)

    serve(
        config,
        DirectoryStore(lake.bronze),
        stop=_stopped_by_signal(),
        put=put,
        fingerprint_sql=source_fingerprint_sql,
        failpoint=failpoint,
    )


def _follower(lake: Lake, failpoint: Callable[[_Moment], None]) -> None:
    from etl.bronze.directory import DirectoryStore
    from etl.follow.cycle import Follower
    from lakehouse_admin.follow import Following

    store = DirectoryStore(lake.bronze)
    Following(
        store,
        open_follower=lambda slot: Follower(
            _lake_config(lake), store, slot=slot, models=gold_models(), failpoint=failpoint
        ),
        failpoint=failpoint,
    ).run(_stopped_by_signal())


def _first_run(lake: Lake, _failpoint: object) -> None:
    """Do what a run does with the first load: silver, gold, the first publication."""
    from dataclasses import asdict as fields
    from datetime import datetime

    from django.utils import timezone

    from etl.bronze.directory import DirectoryStore
    from etl.engine.catalog import open_catalog
    from etl.engine.session import duckdb_session
    from etl.gold.materialise import silver_tables
    from etl.gold.refresh import Refresher
    from etl.gold.results import complete
    from etl.jobs.bronze_to_silver import BronzeToSilver, run
    from etl.jobs.progress import Progress
    from etl.replicate.changes import newest_loads
    from lakehouse_admin.actions.publish import publish_version
    from lakehouse_admin.lease import LAKE, take, withdraw

    config, load = _lake_config(lake), next(newest_loads(DirectoryStore(lake.bronze)))
    run(BronzeToSilver(lake=config, load_id=load.load_id), Progress())
    as_of = datetime.fromisoformat(load.snapshot_at)
    with open_catalog(config) as catalog, duckdb_session(config) as session:
        refresher = Refresher(catalog, session, gold_models(), threads=config.threads)
        results = complete(refresher.refresh(silver_tables(catalog), as_of=as_of, progress=Progress()))
    held = take(LAKE, holder="run-1", now=timezone.now())
    assert held is not None
    publish_version(
        held=held,
        pins=[fields(result.pin) for result in results if result.pin is not None],
        as_of=as_of,
        source_lsn=load.lsn,
        now=timezone.now(),
    )
    withdraw(LAKE, holder="run-1")


def _lake_config(lake: Lake) -> LakeConfig:
    return LakeConfig(
        lake_uri=lake.lake_uri, catalog_url=lake.catalog_url, memory_limit_bytes=256 * 1024 * 1024, threads=2
    )


def gold_models() -> tuple[GoldModel, ...]:
    """Return the models that the processes keep up to date."""
    from etl.gold.compile import load_models

    return tuple(model for model in load_models() if model.name in _MODELS)


def _prepare() -> None:
    """Import what the processes need, and shorten what would have to be waited for."""
    import django

    django.setup()
    import duckdb
    import pyiceberg.catalog.sql  # noqa: F401
    import pytz  # noqa: F401
    import sqlglot  # noqa: F401

    import etl.follow.cycle
    import etl.jobs.bronze_to_silver
    import etl.quality.fingerprint
    import etl.replicate.replicator
    import etl.replicate.serve
    import lakehouse_admin.follow
    import lakehouse_admin.lease
    from etl.silver import compact

    del duckdb
    lakehouse_admin.lease.LASTING = timedelta(seconds=_LASTING_SECONDS)
    lakehouse_admin.follow._LEASE_SECONDS = 0.2
    etl.follow.cycle._REST_SECONDS = 0.5
    etl.replicate.replicator._LONGEST_PAUSE_SECONDS = 1.0
    compact.MERGED_FILES = 2  # So that partitions are compacted within a test.


_ROLES: Mapping[str, Callable[[Lake, Callable[[_Moment], None]], None]] = {
    "replicator": _replicator,
    "follower": _follower,
    "first_run": _first_run,
}


def _be(order: Mapping[str, object]) -> None:
    """Be the process that was ordered; ends this one's life as a fork."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: not to outlive who forked us.
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, target)
    code = 1
    try:
        given = order["lake"]
        assert isinstance(given, dict)
        lake = Lake(**{**given, "tables": tuple(given["tables"])})
        _ROLES[str(order["role"])](lake, _failpoint(str(order["point"]), int(str(order["times"]))))
        code = 0
    except BaseException:  # noqa: BLE001 - the log is what is left of a fork
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Fork what is ordered, a line each, until the input ends."""
    _prepare()
    for line in sys.stdin.buffer:
        pid = os.fork()
        if not pid:
            _be(json.loads(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0)


if __name__ == "__main__":
    main()
