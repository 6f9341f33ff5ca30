"""The replicator as a process: it takes the full load if there is none, and follows changes until it is told to stop.

What may pass (a source that is away, a full disk, another replicator that is just ending) is
waited for. What needs a person ends the process, and the status says why.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from etl.contracts.table import TableContract, TableId
from etl.errors import LakehouseError, TransientError
from etl.ports.object_store import ObjectStore, StoreFullError
from etl.ports.replicator import SourceNotReadyError, UnsupportedColumnError
from etl.replicate.changes import find_position
from etl.replicate.failpoint import Failpoint, ignore
from etl.replicate.replicator import begin, pause, pause_after, replicate, resync, unloaded
from etl.replicate.session import Hooks, ReplicatorConfig
from etl.replicate.status import Progress, ReplicatorState, ReplicatorStatus, StatusKeeper, TableTrouble

_BEGIN_PATIENCE_SECONDS = 5.0
_LOOK_AT_REFUSED_SECONDS = 15.0


class UnforeseenError(LakehouseError):
    """The replicator ended for a reason that nobody foresaw."""

    guidance: ClassVar[str] = "Nothing is lost: it goes on from where bronze ends. Its log says more."


def serve(
    config: ReplicatorConfig,
    store: ObjectStore,
    *,
    stop: threading.Event,
    put: Callable[[ReplicatorStatus], None],
    fingerprint_sql: Callable[[TableContract], str] | None = None,
    failpoint: Failpoint = ignore,
) -> None:
    """Replicate until told to stop; then land what was received whole, and return.

    Args:
        config: What is replicated.
        store: Bronze.
        stop: Set from elsewhere.
        put: Takes each status, e.g. `StatusFile.write`.
        fingerprint_sql: As `full_load` takes it.
        failpoint: For tests.

    Raises:
        SourceNotReadyError: The source lacks something; the message says the SQL.
        UnsupportedColumnError: At the very first load: a column cannot be carried.
        SlotLostError: What the slot was to keep is gone.
        SourceBehindError: The source is not the one that bronze was read from.
        Whatever else `replicate` raises.
    """
    keeper = StatusKeeper(config.slot, put)
    try:
        _Server(config, store, stop, keeper, fingerprint_sql).run(failpoint)
    except LakehouseError as error:
        keeper.enter(ReplicatorState.FAILED, error)
        raise
    except BaseException as error:
        keeper.enter(ReplicatorState.FAILED, UnforeseenError(f"The replicator ended: {type(error).__name__}."))
        raise
    keeper.enter(ReplicatorState.STOPPED)


class _Server:
    """What one process shares from its start to its end."""

    def __init__(
        self,
        config: ReplicatorConfig,
        store: ObjectStore,
        stop: threading.Event,
        keeper: StatusKeeper,
        fingerprint_sql: Callable[[TableContract], str] | None,
    ) -> None:
        self._config = config
        self._store = store
        self._stop = stop
        self._keeper = keeper
        self._fingerprint_sql = fingerprint_sql
        self._refused: dict[TableId, TableTrouble] = {}
        self._look_at = 0.0

    def run(self, failpoint: Failpoint) -> None:
        """Begin if need be, load what was added, follow.

        Raises:
            Whatever `serve` names.
        """
        if not _done(self._begin, self._keeper, self._stop) or not _done(self._load_added, self._keeper, self._stop):
            return
        hooks = Hooks(
            on_progress=lambda progress: self._keeper.progressed(self._with_refused(progress)),
            on_alive=self._keeper.touch,
            on_trouble=lambda error, _pause_seconds: self._keeper.enter(ReplicatorState.WAITING, error),
            failpoint=failpoint,
        )
        replicate(self._config, self._store, stop=self._stop, hooks=hooks)

    def _begin(self) -> None:
        if find_position(self._store, self._config.slot) is not None:
            return
        self._keeper.enter(ReplicatorState.LOADING)
        begin(
            self._config,
            self._store,
            fingerprint_sql=self._fingerprint_sql,
            on_rows=self._on_rows,
            is_cancelled=self._stop.is_set,
            patience_seconds=_BEGIN_PATIENCE_SECONDS,
        )

    def _load_added(self) -> None:
        """Load the tables that no load holds: they were selected after the slot began. Each is refused alone.

        Raises:
            Whatever `resync` raises, unless it concerns one table alone.
        """
        for table in unloaded(self._store, self._config.tables):
            self._keeper.enter(ReplicatorState.LOADING)
            try:
                resync(
                    self._config,
                    self._store,
                    [table],
                    fingerprint_sql=self._fingerprint_sql,
                    on_rows=self._on_rows,
                    is_cancelled=self._stop.is_set,
                )
            except (SourceNotReadyError, UnsupportedColumnError) as error:
                self._refused[table] = TableTrouble.of(table, error)
        self._look_at = time.monotonic() + _LOOK_AT_REFUSED_SECONDS

    def _on_rows(self, _table: TableId, rows: int) -> None:
        self._keeper.loaded(rows)

    def _with_refused(self, progress: Progress) -> Progress:
        """Add the refused tables to the troubles, until a load holds them (`lakehouse resync`)."""
        if not self._refused:
            return progress
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_AT_REFUSED_SECONDS
            left = unloaded(self._store, tuple(self._refused))
            self._refused = {table: self._refused[table] for table in left}
        known = {trouble.table for trouble in progress.troubles}
        more = [trouble for trouble in self._refused.values() if trouble.table not in known]
        troubles = sorted([*progress.troubles, *more], key=lambda trouble: trouble.table)
        return replace(progress, troubles=tuple(troubles))


def _done(work: Callable[[], None], keeper: StatusKeeper, stop: threading.Event) -> bool:
    """Do it, again after what may pass; False if told to stop before it was done.

    Raises:
        Whatever the work raises that does not pass by itself.
    """
    failures = 0
    while not stop.is_set():
        try:
            work()
        except (TransientError, StoreFullError) as error:
            keeper.enter(ReplicatorState.WAITING, error)
            failures += 1
            if pause(stop, pause_after(failures), keeper.touch):
                return False
        else:
            return True
    return False
