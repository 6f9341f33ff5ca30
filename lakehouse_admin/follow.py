"""Follow the source: cycle by cycle, what was committed there becomes what readers see, without a run.

The follower writes the lake under the lease that runs use too (`lakehouse_admin.lease`):
one writer at a time, and a follower that was paused and wakes up late publishes nothing.
It makes way for a run between two cycles, and goes on when the run has ended.

It may be killed at any moment: silver and gold know themselves how far they are, and a
publication is one row in one transaction. Whatever goes wrong is recorded and tried again,
more patiently each time.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime, timedelta

import structlog
from django.db import close_old_connections
from django.utils import timezone

from etl.errors import LakehouseError
from etl.follow.backoff import Backoff
from etl.follow.cycle import Cycle, Follower
from etl.follow.failpoint import Failpoint, Moment, ignore
from etl.follow.slot import followed_slot
from etl.ports.object_store import ObjectStore
from lakehouse_admin.actions.find_table import tables_not_followed
from lakehouse_admin.actions.publish import publish_version
from lakehouse_admin.actions.retire_publications import KeptPins, retire_publications
from lakehouse_admin.lease import LAKE, Held, LeaseLostError, give_up, keep, take
from lakehouse_admin.models import FollowerState, PublicationRecord
from lakehouse_admin.retention import Retention, retention
from lakehouse_admin.states import FollowerPhase

_POLL_SECONDS = 0.05
_LEASE_SECONDS = 1.0
"""How often an idle follower looks whether somebody wants the lake; a busy one looks after every cycle."""
_WORD_SECONDS = 5.0
_REMEMBER_SECONDS = 30.0
_RETIRE_SECONDS = 30.0

_log = structlog.get_logger("lakeside.follower")


class Following:
    """One process's work, from its start to its end."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        open_follower: Callable[[str], Follower],
        durable_lsn: Callable[[], int] = lambda: 0,
        clock: Callable[[], datetime] = timezone.now,
        failpoint: Failpoint = ignore,
        rule: Retention | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            store: Bronze.
            open_follower: Makes the follower of a slot.
            durable_lsn: Up to which position bronze is complete, as far as anybody has said.
            clock: Tells the time (UTC).
            failpoint: Told of each moment of publishing.
            rule: Which publications are kept; what the settings say if None.
        """
        self._rule = rule or retention()
        self._pins = KeptPins()
        self._store = store
        self._failpoint = failpoint
        self._open_follower = open_follower
        self._durable_lsn = durable_lsn
        self._clock = clock
        self.holder = f"follower-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._held: Held | None = None
        self._follower: Follower | None = None
        self._resources = ExitStack()
        self._slot = ""
        self._is_open = False
        self._kept_at = self._told_at = self._remembered_at = self._retired_at = float("-inf")
        self._told: FollowerPhase | None = None

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Follow until told to stop; with ``once``, until everything that is in bronze is published.

        Raises:
            LakehouseError: With ``once`` alone: what went wrong. Else it is recorded and tried again.
        """
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    has_worked = self.step()
                except Exception as error:
                    self._failed(error)
                    if once:
                        raise
                    stop.wait(backoff.failed())
                    continue
                backoff.succeeded()
                if has_worked:
                    continue
                if once and self._is_open:
                    return
                stop.wait(_POLL_SECONDS if self._is_open else _LEASE_SECONDS)
        finally:
            self.close()

    def step(self) -> bool:
        """Do one cycle, if the lake is ours and there is something to do; tell whether there was.

        Raises:
            Whatever `Follower.reopen`, `Follower.cycle` and `publish_version` raise.
        """
        if not self._has_lake():
            self._tell(FollowerPhase.YIELDING, "A run, or another follower, writes the lake.")
            return False
        if not self._is_open and not self._open():
            self._tell(FollowerPhase.WAITING, self._waits_for)
            return False
        assert self._follower is not None
        started = time.perf_counter()
        cycle = self._follower.cycle(leave_out=tables_not_followed())
        if cycle is None:
            self._tell(FollowerPhase.FOLLOWING)
            return False
        publishing = time.perf_counter()
        record = self._publish(cycle) if cycle.is_news else None
        published = time.perf_counter()
        self._retire()
        self._follower.tidy(self._pins.all)
        self._failpoint(Moment.TIDIED)
        ended = time.perf_counter()
        seconds = {
            **cycle.seconds,
            "publish": round(published - publishing, 4),
            "tidy": round(ended - published, 4),
            "all": round(ended - started, 4),
        }
        self._report(cycle, record, seconds)
        self._kept_at = float("-inf")  # Look now whether somebody waits for the lake.
        return True

    def _has_lake(self) -> bool:
        """Keep or take the lease; give it up if somebody waits for it."""
        now = self._clock()
        if self._held is not None:
            if time.monotonic() - self._kept_at < _LEASE_SECONDS:
                return True
            kept = keep(self._held, now=now)
            self._kept_at = time.monotonic()
            if kept.ours and not kept.wanted_by:
                return True
            if kept.ours:
                self._remember()
                give_up(self._held)
                _log.info("follower_made_way", wanted_by=kept.wanted_by)
            self._held = None
            self._is_open = False
            return False
        self._held = take(LAKE, holder=self.holder, now=now)
        self._kept_at = time.monotonic()
        return self._held is not None

    def _open(self) -> bool:
        """Open the lake as it is now; False if there is nothing to follow yet."""
        newest = PublicationRecord.objects.order_by("-number").first()
        slot = followed_slot(self._store) if newest is not None else None
        if newest is None or slot is None:
            self._waits_for = (
                "Nothing is published yet: a run has to load the lake first."
                if newest is None
                else "No load in bronze has a slot whose changes continue it: the replicator has not begun."
            )
            self._let_go()
            return False
        if self._follower is None or slot != self._slot:
            self._resources.close()
            self._follower = self._resources.enter_context(self._open_follower(slot))
            self._slot = slot
        self._follower.reopen(newest.to_contract())
        self._pins.read()
        self._is_open = True
        return True

    def _publish(self, cycle: Cycle) -> PublicationRecord:
        assert self._held is not None
        assert self._follower is not None
        record = publish_version(
            held=self._held,
            pins=[asdict(pin) for pin in cycle.pins],
            as_of=cycle.as_of,
            source_lsn=cycle.source_lsn,
            now=self._clock(),
            failpoint=self._failpoint,
        )
        self._failpoint(Moment.PUBLISHED)
        publication = record.to_contract()
        self._follower.published(publication)
        self._pins.add(publication)
        return record

    def _retire(self) -> None:
        """Now and then retire the publications that retention does not keep: a follower makes many."""
        if time.monotonic() - self._retired_at < _RETIRE_SECONDS:
            return
        assert self._held is not None
        self._pins.drop(retire_publications(held=self._held, rule=self._rule, now=self._clock()))
        self._retired_at = time.monotonic()

    def _report(self, cycle: Cycle, record: PublicationRecord | None, seconds: dict[str, float]) -> None:
        """Log a cycle, and record where the follower stands."""
        now = self._clock()
        _log.info(
            "cycle_done",
            flushes=cycle.flushes,
            changes=cycle.changes,
            publication=record.number if record else None,
            age_seconds=round((now - cycle.as_of).total_seconds(), 3),
            seconds=seconds,
        )
        told: dict[str, object] = {} if record is None else {
            "publication": record.number,
            "published_at": record.published_at,
        }  # fmt: skip
        self._write(
            FollowerPhase.FOLLOWING,
            source_lsn=cycle.source_lsn,
            as_of=cycle.as_of,
            lag_bytes=max(0, self._durable_lsn() - cycle.source_lsn) if cycle.flushes else 0,
            cycle_seconds=seconds,
            tables={table: f"{type(error).__name__}: {error}" for table, error in cycle.failed_tables.items()},
            gold_models=dict(cycle.failed_models),
            error_class="",
            error_message="",
            guidance="",
            **told,
        )
        if time.monotonic() - self._remembered_at > _REMEMBER_SECONDS:
            self._remember()

    def _remember(self) -> None:
        if self._follower is not None and self._is_open:
            self._follower.remember()
            self._remembered_at = time.monotonic()

    def _failed(self, error: Exception) -> None:
        """Record what went wrong, and have everything opened anew."""
        close_old_connections()
        if isinstance(error, LeaseLostError):
            _log.warning("follower_lost_lake", holder=self.holder)
        else:
            _log.error("follower_failed", error_class=type(error).__name__, error=str(error), exc_info=True)
        self._held = None if isinstance(error, LeaseLostError) else self._held
        self._is_open = False
        self._kept_at = float("-inf")
        try:
            self._write(
                FollowerPhase.FAILING,
                error_class=type(error).__name__,
                error_message=str(error),
                guidance=error.guidance if isinstance(error, LakehouseError) else "Its log says more.",
            )
        except Exception:  # noqa: BLE001 - most likely the database itself is what is away
            close_old_connections()

    def _tell(self, state: FollowerPhase, message: str = "") -> None:
        """Say that the follower lives, every few seconds or when its state changed."""
        if state is self._told and time.monotonic() - self._told_at < _WORD_SECONDS:
            return
        if self._held is None and self._another_speaks():
            return
        self._write(state, error_class="", error_message=message, guidance="")

    def _another_speaks(self) -> bool:
        """Tell whether another follower works: what it says stands, we only wait behind it."""
        recent = self._clock() - timedelta(seconds=3 * _WORD_SECONDS)
        others = FollowerState.objects.filter(name=LAKE, written_at__gt=recent).exclude(holder=self.holder)
        return others.exclude(state=FollowerPhase.STOPPED).exists()

    def _write(self, state: FollowerPhase, **fields: object) -> None:
        values = {"state": state, "holder": self.holder, "slot": self._slot, "written_at": self._clock(), **fields}
        FollowerState.objects.update_or_create(name=LAKE, defaults=values)
        if state is not self._told:
            _log.info("follower_state", state=state.value, why=fields.get("error_message") or None)
        self._told, self._told_at = state, time.monotonic()

    def _let_go(self) -> None:
        """Give the lease back: there is nothing to write."""
        if self._held is not None:
            give_up(self._held)
            self._held = None

    def close(self) -> None:
        """Leave everything as the next process likes to find it, as far as that is possible."""
        try:
            self._remember()
            self._let_go()
            if not self._another_speaks():
                self._write(FollowerPhase.STOPPED)
        except Exception as error:  # noqa: BLE001 - all of it is a courtesy: a killed follower does none of it
            _log.warning("follower_ended_hard", error=str(error))
        self._resources.close()
