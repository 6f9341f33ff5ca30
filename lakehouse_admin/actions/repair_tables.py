"""Put wrong rows right: in silver, from bronze; where bronze itself is wrong, by a resync of the table."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from etl.contracts.table import TableId
from etl.errors import LakehouseError, OperatorError, TransientError
from lakehouse_admin.actions.resync_table import resync_table
from lakehouse_admin.lease import LAKE, LASTING, Held, ask_for, keep, proving, take, withdraw
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.record_audit import record_audit

if TYPE_CHECKING:
    from etl.quality.live import LiveComparison
    from etl.silver.repair import Repaired

_LOOK_SECONDS = 0.25
_KEEP_SECONDS = LASTING.total_seconds() / 4


class LakeBusyError(TransientError):
    """Somebody else writes the lake, and went on doing so."""

    guidance: ClassVar[str] = "Wait for the run to end (`manage.py lakehouse status`), then repeat the command."


class RowsRefusedError(OperatorError):
    """Rows of the table do not conform, so a new load would be refused the same rows."""

    guidance: ClassVar[str] = "`manage.py lakehouse quarantine` lists them, with reasons; correct them at the source."


class RepairOne(Protocol):
    """Repairs one table of silver, e.g. `etl.silver.repair.repair_table` with lake, store and slot given."""

    def __call__(self, table: TableId, *, committing: Callable[[Repaired], AbstractContextManager[object]]) -> Repaired:
        """Repair it, and commit in what ``committing`` gives for what is about to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRepair:
    """What was done about one table that differed."""

    table: str
    """``schema.name``."""
    repaired: Repaired | None = None
    """Its rows in silver were put right."""
    resync: PipelineRun | None = None
    """Bronze is wrong, so this run loads the table anew."""
    error: LakehouseError | None = None
    """Why nothing could be done."""


def repair_tables(
    compared: Sequence[LiveComparison],
    *,
    repair: RepairOne,
    clock: Callable[[], datetime],
    wait_seconds: float = 60.0,
    by: AbstractBaseUser | None = None,
) -> tuple[TableRepair, ...]:
    """Do what can be done about each table that differs; each act is in the audit log.

    Silver is written under the lake's lease: a follower makes way meanwhile, and brings gold up to
    date afterwards. A commit proves the lease, so a repair that was paused changes nothing late.

    Args:
        compared: What `etl.quality.live.compare_live` found.
        repair: Repairs one table of silver.
        clock: Tells the time (UTC).
        wait_seconds: How long to wait for the lake.
        by: Who asks; None for the command line.

    Raises:
        LakeBusyError: The lake did not become free in time.
    """
    different = [each for each in compared if not each.equal]
    # Only from a bronze that is right.
    in_silver = [each for each in different if each.bronze.equal and each.silver.rows is not None]
    done = [_reload(each, clock, by) for each in different if each not in in_silver]
    if in_silver:
        with _lake(clock, wait_seconds) as held:
            done += [_put_right(TableId.parse(each.source_table), held, repair, clock, by) for each in in_silver]
    return tuple(sorted(done, key=lambda each: each.table))


def _put_right(
    table: TableId, held: Held, repair: RepairOne, clock: Callable[[], datetime], by: AbstractBaseUser | None
) -> TableRepair:
    @contextmanager
    def recorded(planned: Repaired) -> Iterator[None]:
        """Keep the audit entry if, and only if, the commit succeeds."""
        with proving(held):
            done = {"keys": planned.keys, "removed": planned.removed, "added": planned.added, "lsn": planned.lsn}
            before = {"snapshot_id": planned.snapshot_id}
            record_audit("silver_repaired", kind="table", subject=table, at=clock(), by=by, before=before, after=done)
            yield

    try:
        return TableRepair(table=str(table), repaired=repair(table, committing=recorded))
    except LakehouseError as error:
        return TableRepair(table=str(table), error=error)


def _reload(compared: LiveComparison, clock: Callable[[], datetime], by: AbstractBaseUser | None) -> TableRepair:
    """Ask for a resync, unless that would change nothing."""
    name = compared.source_table
    if compared.bronze.refused:
        return TableRepair(table=name, error=RowsRefusedError())
    try:
        return TableRepair(table=name, resync=resync_table(name, now=clock(), by=by))
    except LakehouseError as error:
        return TableRepair(table=name, error=error)


@contextmanager
def _lake(clock: Callable[[], datetime], wait_seconds: float) -> Iterator[Held]:
    """Hold the lake's lease for as long as the block runs.

    Raises:
        LakeBusyError: It did not become free in time.
    """
    holder = f"repair-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    deadline = time.monotonic() + wait_seconds
    try:
        while (held := take(LAKE, holder=holder, now=clock())) is None:
            if time.monotonic() >= deadline:
                raise LakeBusyError
            ask_for(LAKE, holder=holder, now=clock())
            time.sleep(_LOOK_SECONDS)
        ended = threading.Event()
        keeper = threading.Thread(target=_keep, args=(held, ended, clock), name="lease")
        keeper.start()
        try:
            yield held
        finally:
            ended.set()
            keeper.join()
    finally:
        withdraw(LAKE, holder=holder)


def _keep(held: Held, ended: threading.Event, clock: Callable[[], datetime]) -> None:
    """Prolong the lease until the work has ended; a lease that was lost is noticed at the commit."""
    try:
        while not ended.wait(_KEEP_SECONDS):
            if not keep(held, now=clock()).ours:
                return
    finally:
        connection.close()
