"""Traffic itself: batch after batch of acts, at a rate, until there were enough or somebody stops it.

It works as the owner. The application's role sees nobody without a tenant's scope, not even which
tenants there are, and this is a tool for whoever runs the installation, as seeding is. Each
transaction is still of one tenant, as the application's are.

What is done depends on the seed, the options and the rows found, never on a clock: times go on
from the newest row at a steady pace, and the rate only decides when a batch is written.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg

from saas.traffic.acts import MOST_CHANGES, SHARES, Scene, visit
from saas.traffic.batch import Batch, Kind, Op
from saas.traffic.errors import TrafficError
from saas.traffic.ids import Ids
from saas.traffic.pace import TokenBucket
from saas.traffic.shops import Shop, newest_moment, read_shops

_FULL_BATCH = 250
_BATCHES_A_SECOND = 20
_BETWEEN_ACTS = timedelta(milliseconds=50)
"""Of the shops' own time: a thousand changes take about twelve seconds of it."""
_LONGEST_WAIT_SECONDS = 0.2
_LOCK_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How much traffic."""

    seed: int
    changes: int | None = None
    """Stop after exactly so many; None for no bound."""
    rate: float | None = None
    """Changes a second; None for as many as go."""
    seconds: float | None = None
    """Stop after so long; None for no bound."""

    def __post_init__(self) -> None:
        if self.changes is None and self.seconds is None:
            raise TrafficError("Say how much: --changes N, or --rate R with --seconds S.")
        for name, value in (("changes", self.changes), ("rate", self.rate), ("seconds", self.seconds)):
            if value is not None and not 0 < value < float("inf"):
                raise TrafficError(f"--{name} {value} is too small or too large: choose a number above 0.")
        if self.seed < 0:
            raise TrafficError(f"--seed {self.seed} is negative: choose 0 or more.")

    @property
    def batch_changes(self) -> int:
        """Changes in one transaction: few at a low rate, so that it stays even."""
        if self.rate is None:
            return _FULL_BATCH
        return max(1, min(_FULL_BATCH, int(self.rate / _BATCHES_A_SECOND)))


@dataclass(slots=True)
class Done:
    """What traffic did."""

    changes: Counter[tuple[str, Op]] = field(default_factory=Counter)
    """Rows by table and operation."""
    acts: Counter[str] = field(default_factory=Counter)
    transactions: int = 0
    seconds: float = 0.0
    was_stopped: bool = False

    @property
    def total(self) -> int:
        """All changes."""
        return self.changes.total()

    def count(self, written: dict[Kind, int]) -> None:
        """Add a transaction."""
        self.transactions += 1
        for kind, rows in written.items():
            self.changes[kind.table, kind.op] += rows


def simulate(
    conninfo: str,
    wanted: Wanted,
    *,
    stop: threading.Event,
    on_changes: Callable[[int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] | None = None,
) -> Done:
    """Make traffic.

    Args:
        conninfo: The owner's connection.
        wanted: How much.
        stop: Ends it after the transaction at hand.
        on_changes: Told how many more changes were made.
        clock: Seconds that only grow; decides when, never what.
        wait: Lets seconds pass; ends early when stopped, unless given.

    Raises:
        TrafficError: It was refused or failed; what was committed by then stays.
    """
    wait = wait or stop.wait
    done = Done()
    with _explained(done), psycopg.connect(conninfo, application_name="lakeside simulate_traffic") as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(f"SET lock_timeout = '{_LOCK_SECONDS}s'")
        traffic = _Traffic(connection, wanted)
        connection.commit()
        connection.autocommit = True
        began = clock()
        bucket = TokenBucket(wanted.rate, clock) if wanted.rate else None
        while not stop.is_set() and (wanted.changes is None or done.total < wanted.changes):
            size = wanted.batch_changes
            if wanted.changes is not None:
                size = min(size, wanted.changes - done.total)
            if bucket is not None and (pause := bucket.take(size)):
                wait(min(pause, _LONGEST_WAIT_SECONDS))
            elif wanted.seconds is None or clock() - began < wanted.seconds:
                before = done.total
                traffic.step(size, done)
                if on_changes is not None:
                    on_changes(done.total - before)
                continue
            if wanted.seconds is not None and clock() - began >= wanted.seconds:
                break
        done.seconds = clock() - began
    done.was_stopped = stop.is_set()
    return done


class _Traffic:
    """Decides what happens next, and writes it."""

    def __init__(self, connection: psycopg.Connection, wanted: Wanted) -> None:
        self._connection = connection
        self._rng = random.Random(wanted.seed)  # noqa: S311 - to be repeated, not to be secret
        self._shops = read_shops(connection)
        self._weights = [len(shop.customers) for shop in self._shops]
        self._moment: datetime = newest_moment(connection)
        self._ids = Ids()

    def step(self, size: int, done: Done) -> None:
        """Write one transaction of exactly ``size`` changes, all of one shop."""
        self._ids.refill(self._connection, at_least=size + MOST_CHANGES)
        (shop,) = self._rng.choices(self._shops, self._weights)
        batch = Batch(shop.tenant_id)
        while (room := size - len(batch)) > 0:
            self._act(shop, batch, room, done)
        done.count(dict(batch.write(self._connection)))

    def _act(self, shop: Shop, batch: Batch, room: int, done: Done) -> None:
        self._moment += _BETWEEN_ACTS
        scene = Scene(shop=shop, moment=self._moment, batch=batch, ids=self._ids, rng=self._rng, room=room)
        (act,) = self._rng.choices(_ACTS, _SHARES)
        if room < MOST_CHANGES or not act(scene):
            act = visit
            visit(scene)
        done.acts[act.__name__] += 1


_ACTS, _SHARES = list(SHARES), list(SHARES.values())


@contextmanager
def _explained(done: Done) -> Iterator[None]:
    """Turn what PostgreSQL reports into one sentence.

    Raises:
        TrafficError: In place of any error of PostgreSQL or the connection to it.
    """
    try:
        yield
    except psycopg.Error as error:
        said = (error.diag.message_primary or str(error).strip().partition("\n")[0]).rstrip(".")
        kept = f"{done.total:,} changes were made before." if done.total else "Nothing was changed."
        raise TrafficError(f"{_sentence(error, said)} {kept}") from error


def _sentence(error: psycopg.Error, said: str) -> str:
    match error:
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return f"The tables are not as expected ({said}): run `manage.py migrate --database owner`."
        case psycopg.errors.InsufficientPrivilege():
            return f"The role of DATABASE_URL may not write ({said}): set it to the owner of the tables."
        case psycopg.errors.LockNotAvailable():
            return f"Somebody else has kept rows locked for {_LOCK_SECONDS} seconds: wait for them, then try again."
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate[:2] in {"08", "57"}:
            return f"PostgreSQL does not answer ({said}): start it with `manage.py up`, or correct DATABASE_URL."
        case _:
            return f"PostgreSQL refused a change ({said})."
