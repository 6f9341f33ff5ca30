"""Brings new changes from bronze through silver to gold, a cycle at a time, for as long as a process lives.

A cycle takes the flushes that came since the last, applies them to silver, brings the models
up to date that promise to be live, and says what a publication of it would pin. It publishes
nothing itself. Catalog, session, tables and plans stay open between cycles, so that a cycle
costs what its changes cost.

One table or model that fails stops no other. The table is tried again, more patiently each
time; the model's last good version stays pinned and says how old it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from pyiceberg.table import Table

from etl.bronze.window import ChangeLog
from etl.contracts.publication import Publication, TablePin
from etl.contracts.table import TableId
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.errors import OperatorError
from etl.follow.backoff import Backoff
from etl.follow.failpoint import Failpoint, Moment, ignore
from etl.gold.compile import load_models
from etl.gold.materialise import latest_commit, silver_tables
from etl.gold.model import SILVER_SCHEMA, GoldModel
from etl.gold.refresh import Refresher
from etl.gold.results import ModelResult
from etl.gold.results import Outcome as ModelOutcome
from etl.jobs.changes_to_silver import replicated_tables
from etl.jobs.progress import Progress
from etl.maintain.reach import Reach
from etl.maintain.storage import table_names
from etl.maintain.sweep import sweep
from etl.ports.object_store import ObjectStore
from etl.silver.applier import ChangeApplier, Outcome, TableOutcome

_FLUSHES = 64
"""Flushes that one cycle takes at most: a follower that is far behind publishes on its way."""

_SWEEP_SECONDS = 2.0
"""How soon after one table the next is swept: some thirty tables take a minute, and a sweep some hundredths of one."""

_REST_SECONDS = 5.0
"""A source that was quiet for this long leaves time for models that were put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one cycle did, and what readers should see after it."""

    flushes: int
    tables: tuple[TableOutcome, ...]
    models: tuple[ModelResult, ...]
    pins: tuple[TablePin, ...]
    as_of: datetime
    """Source time up to which the data is complete; tables and models that lag say so in their pins."""
    source_lsn: int
    is_news: bool
    """Whether readers of the last publication would see something else, or the same as of later."""
    seconds: Mapping[str, float]
    """By step."""

    @property
    def changes(self) -> int:
        """Rows inserted, updated and deleted in silver."""
        done = [each.applied for each in self.tables if each.applied is not None]
        return sum(each.inserted + each.updated + each.deleted for each in done)

    @property
    def failed_tables(self) -> Mapping[str, Exception]:
        """Errors by ``schema.name``."""
        return {str(each.table): each.error for each in self.tables if each.error is not None}

    @property
    def failed_models(self) -> Mapping[str, str]:
        """Problems by qualified name."""
        broken = {ModelOutcome.FAILED, ModelOutcome.SKIPPED}
        return {each.table: each.problem or "" for each in self.models if each.outcome in broken}


@dataclass(slots=True)
class _Lagging:
    """A table that is not brought up to date for now."""

    as_of: datetime
    """Source time up to which it is complete."""
    backoff: Backoff = field(default_factory=Backoff)


class Follower:
    """Follows one slot. Use as a context manager, and `reopen` before the first cycle.

    Not safe to share between threads. After an error of `cycle`, `reopen` it: whatever was
    done stands, and is found again.
    """

    def __init__(
        self,
        lake: LakeConfig,
        store: ObjectStore,
        *,
        slot: str,
        models: Iterable[GoldModel] | None = None,
        failpoint: Failpoint = ignore,
        safe_age: timedelta = timedelta(hours=1),
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            lake: Its silver and gold.
            store: Bronze.
            slot: Whose changes.
            models: All of them; the shipped ones if None.
            failpoint: Told of each moment passed, of silver and gold, too.
            safe_age: No file is removed that is younger, or that a reader who began so long ago may need.
        """
        self._safe_age = safe_age
        self._lake = lake
        self._store = store
        self._slot = slot
        self._models = tuple(load_models() if models is None else models)
        self._failpoint = failpoint
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        """Open catalog and session.

        Raises:
            CatalogUnavailableError: No answer.
        """
        with ExitStack() as opening:
            self._catalog = opening.enter_context(open_catalog(self._lake))
            self._session = opening.enter_context(duckdb_session(self._lake))
            self._refresher = Refresher(
                self._catalog, self._session, self._models, threads=self._lake.threads, failpoint=self._failpoint
            )
            self._resources = opening.pop_all()
        self._window_resources = self._resources.enter_context(ExitStack())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def reopen(self, publication: Publication) -> None:
        """Look at the lake anew: before the first cycle, after an error, or when somebody else has written it.

        Args:
            publication: What readers see now; the follower goes on from it.

        Raises:
            TableMissingError: Silver is empty.
            WindowBrokenError: What a manifest says is no flush.
            CatalogUnavailableError: No answer.
            StoreUnavailableError: No answer.
        """
        self._window_resources.close()
        tables = replicated_tables(self._store, self._slot)
        self._applier = self._window_resources.enter_context(
            ChangeApplier(
                self._catalog,
                self._session,
                self._store,
                slot=self._slot,
                tables=tables,
                threads=self._lake.threads,
                failpoint=self._failpoint,
            )
        )
        self._log = ChangeLog(self._store, slot=self._slot, after_lsn=self._applier.start())
        self._refresher.forget()
        self._silver: dict[str, Table] = silver_tables(self._catalog)
        self._as_of = max(publication.as_of, latest_commit(self._session, self._silver))
        self._published = publication
        self._lagging: dict[TableId, _Lagging] = {}
        self._left_out: frozenset[TableId] | None = None
        self._to_sweep: Iterator[str] = iter(())
        self._reaches: dict[str, Reach] = {}
        self._swept_at = time.monotonic()
        self._has_put_off = False
        self._changed_at = time.monotonic()

    def published(self, publication: Publication) -> None:
        """Take note of what readers see now."""
        self._published = publication

    def cycle(self, *, leave_out: Collection[TableId] = ()) -> Cycle | None:
        """Do what there is to do; None if there is nothing.

        Args:
            leave_out: Tables not to touch: their changes wait in bronze.

        Raises:
            WindowBrokenError: Changes are missing from bronze, or are another slot's.
            BronzeDamagedError: A manifest cannot be read.
            StoreUnavailableError: Bronze did not answer.
            CatalogUnavailableError: The catalog did not answer.
            CommitConflictError: Somebody else writes gold.
            ModelError: A model does not fit silver any more.
        """
        clock = _Clock()
        window = self._log.read(most=_FLUSHES)
        left_out = frozenset(leave_out)
        if not window.manifests and not self._is_due(left_out):
            return None
        has_changes = bool(window.manifests)
        before = self._as_of
        if has_changes:
            self._changed_at = time.monotonic()
            self._as_of = max(before, datetime.fromisoformat(window.committed_to))
        clock.passed("read")
        self._failpoint(Moment.WINDOW_READ)
        resting = {table for table, lag in self._lagging.items() if not lag.backoff.is_over}
        outcomes = self._applier.apply(window, leave_out=left_out | resting)
        self._note(outcomes, before)
        self._left_out = left_out
        clock.passed("silver")
        self._failpoint(Moment.SILVER_APPLIED)
        # Models that promise less wait while changes keep coming, and are caught up with when the source rests.
        results = self._refresher.refresh(
            self._open_silver(), as_of=self._as_of, progress=Progress(), patient=has_changes
        )
        # What still waits when the source rests has a promise of its own, such as a forecast of this morning.
        self._has_put_off = has_changes and any(each.outcome is ModelOutcome.DEFERRED for each in results)
        clock.passed("gold")
        self._failpoint(Moment.GOLD_REFRESHED)
        pins = self._pins(results)
        source_lsn = max(self._published.source_lsn, window.last_lsn)
        return Cycle(
            flushes=len(window.manifests),
            tables=outcomes,
            models=results,
            pins=pins,
            as_of=self._as_of,
            source_lsn=source_lsn,
            is_news=pins != self._published.pins or source_lsn > self._published.source_lsn,
            seconds=clock.seconds,
        )

    def tidy(self, pins: Callable[[], Collection[TablePin]]) -> None:
        """Between cycles: compact a partition that asks for it; now and then sweep a table, each in its turn.

        So nothing that is superseded gathers, however long the follower lives and whoever
        maintains the lake. A table that cannot be swept is told of by the next maintenance.

        Args:
            pins: Gives what every publication pins that is kept; asked if a table is swept.

        Raises:
            CatalogUnavailableError: No answer.
        """
        self._applier.compact(most_partitions=1)
        if time.monotonic() - self._swept_at < _SWEEP_SECONDS:
            return
        name = next(self._to_sweep, None)
        if name is None:
            names = table_names(self._catalog)
            self._reaches = {name: self._reaches.get(name, Reach()) for name in names}
            self._to_sweep = iter(names)
        else:
            with suppress(OperatorError):
                sweep(
                    self._catalog,
                    name,
                    pins=pins(),
                    now=datetime.now(UTC),
                    safe_age=self._safe_age,
                    reach=self._reaches[name],
                )
        self._swept_at = time.monotonic()

    def remember(self) -> None:
        """Record where the tables stand, for the next process to begin there.

        Raises:
            CatalogUnavailableError: No answer.
        """
        self._applier.remember()

    def _is_due(self, left_out: frozenset[TableId]) -> bool:
        """Tell whether there is something to do although no flush came."""
        if left_out != self._left_out:
            return True
        if any(lag.backoff.is_over for table, lag in self._lagging.items() if table not in left_out):
            return True
        return self._has_put_off and time.monotonic() - self._changed_at > _REST_SECONDS

    def _note(self, outcomes: Iterable[TableOutcome], before: datetime) -> None:
        """Remember which tables lag, and since when."""
        for each in outcomes:
            if each.outcome in {Outcome.APPLIED, Outcome.IDLE}:
                self._lagging.pop(each.table, None)
                continue
            lag = self._lagging.setdefault(each.table, _Lagging(as_of=before))
            if each.outcome is Outcome.FAILED:
                lag.backoff.failed()

    def _open_silver(self) -> Mapping[str, Table]:
        """Return silver's tables, each where the applier has it open, else as it was seen last."""
        self._silver |= self._applier.open_tables()
        return self._silver

    def _pins(self, results: Iterable[ModelResult]) -> tuple[TablePin, ...]:
        """Return what to publish: a model that failed stays at its last version, and every pin tells a greater age."""
        last = {pin.table: pin for pin in self._published.pins}
        found = []
        for result in results:
            pin = result.pin
            if pin is None:
                pin = last.get(result.table)
                if pin is None:
                    continue
                pin = replace(pin, as_of=pin.as_of or self._published.as_of.isoformat())
            stands_at = [lag.as_of for table, lag in self._lagging.items() if self._reads(result.table, table)]
            if pin.as_of is not None:
                stands_at.append(datetime.fromisoformat(pin.as_of))
            oldest = min(stands_at, default=self._as_of)
            found.append(replace(pin, as_of=oldest.isoformat() if oldest < self._as_of else None))
        return tuple(sorted(found, key=lambda pin: pin.table))

    def _reads(self, model: str, table: TableId) -> bool:
        return f"{SILVER_SCHEMA}.{table.lake_name}" in self._refresher.sources_of(model)


class _Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def passed(self, step: str) -> None:
        """Note that a step has ended."""
        now = time.perf_counter()
        self.seconds[step] = round(now - self._last, 4)
        self._last = now
