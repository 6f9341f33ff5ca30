"""Leases: of all who write the lake, one at a time; a late one proves nothing.

A run's claim (`lakehouse_admin.claim`) says which worker moves the run. A lease says which
writer the lake has: the continuous follower, or one run. Both rest on the same two things.
The *lease* ends by itself, so that a dead holder stops nobody for long. The *token* grows
with every new holder, and whatever the holder makes visible is written in a transaction
that proves the token (`proving`): a holder that was paused and wakes up late is refused.

A holder that goes on for ever, as the follower does, is asked to yield: `ask_for` leaves a
wish, `keep` tells the holder of it, and until the wish lapses nobody but its author gets
the lease. So a run takes the lake over between two of the follower's cycles, and the
follower gets it back when the run has ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import transaction
from django.db.models import Q

from etl.errors import TransientError
from lakehouse_admin.models import Lease

LAKE = "lake"
"""The lease of whoever writes silver and gold, and publishes."""
LASTING = timedelta(seconds=60)
"""Longer than a killed worker's run stands still (claim.LEASE and a tick), so that it finds its lease again."""
_WISH_LASTING = timedelta(seconds=10)
"""A wish is renewed every second or so by who waits; one that is not lapses with its author."""


class LeaseLostError(TransientError):
    """Somebody else holds the lake now."""

    guidance: ClassVar[str] = "Nothing to do: what was begun is not published, and goes on once the lake is free."


def run_holder(run_id: int) -> str:
    """Return what a run is called as the holder of a lease."""
    return f"run-{run_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A lease that was taken: the right to write until it ends or a later token exists."""

    name: str
    holder: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What `keep` found."""

    ours: bool
    wanted_by: str = ""
    """Who waits for the lease; give it up when what is at hand is done."""


def take(name: str, *, holder: str, now: datetime) -> Held | None:
    """Take a lease that is free, has ended or is the holder's already; None if somebody else has it.

    A lease that somebody wants goes to nobody else, or a tireless holder would always win.
    """
    with transaction.atomic():
        lease = _locked(name)
        if lease.holder != holder:
            if (lease.holder and _is_ahead(lease.expires_at, now, LASTING)) or _other_wish(lease, holder, now):
                return None
            lease.token += 1
            lease.holder = holder
        lease.expires_at = now + LASTING
        if lease.wanted_by == holder:
            lease.wanted_by, lease.wanted_until = "", None
        lease.save()
    return Held(name=name, holder=holder, token=lease.token)


def keep(held: Held, *, now: datetime) -> Kept:
    """Prolong a lease; tell whether it is still ours and whether somebody waits for it."""
    with transaction.atomic():
        lease = _locked(held.name)
        if (lease.holder, lease.token) != (held.holder, held.token):
            return Kept(ours=False)
        lease.expires_at = now + LASTING
        lease.save(update_fields=["expires_at"])
    return Kept(ours=True, wanted_by=_other_wish(lease, held.holder, now))


def ask_for(name: str, *, holder: str, now: datetime) -> None:
    """Ask whoever holds the lease to give it up; ask again until `take` succeeds. The first to ask is served."""
    with transaction.atomic():
        lease = _locked(name)
        if not _other_wish(lease, holder, now):
            lease.wanted_by, lease.wanted_until = holder, now + _WISH_LASTING
            lease.save(update_fields=["wanted_by", "wanted_until"])


def give_up(held: Held) -> None:
    """Give the lease back; nothing happens if it is no longer ours."""
    Lease.objects.filter(name=held.name, holder=held.holder, token=held.token).update(holder="", expires_at=None)


def withdraw(name: str, *, holder: str) -> None:
    """Take back a wish, and the lease itself if the holder has it."""
    Lease.objects.filter(name=name, wanted_by=holder).update(wanted_by="", wanted_until=None)
    Lease.objects.filter(name=name, holder=holder).update(holder="", expires_at=None)


@contextmanager
def proving(held: Held) -> Iterator[None]:
    """Open a transaction in which nobody else can take the lease, and ours is proven.

    A lease that has ended, but was taken by nobody, still proves: nothing happened meanwhile.

    Raises:
        LeaseLostError: A later holder exists. Nothing written in the block is kept.
    """
    with transaction.atomic():
        is_ours = Q(name=held.name, holder=held.holder, token=held.token)
        if Lease.objects.select_for_update().filter(is_ours).first() is None:
            raise LeaseLostError(holder=held.holder, token=held.token)
        yield


def _locked(name: str) -> Lease:
    lease = Lease.objects.select_for_update().filter(name=name).first()
    if lease is None:
        Lease.objects.get_or_create(name=name)
        lease = Lease.objects.select_for_update().get(name=name)
    return lease


def _is_ahead(moment: datetime | None, now: datetime, lasting: timedelta) -> bool:
    """Tell whether something that lasts so long has not ended; what ends later than twice that, a clock set back left.

    Too strict is safe: whoever is outrun by a mistake of the clock can prove nothing any more.
    """
    return moment is not None and now < moment <= now + 2 * lasting


def _other_wish(lease: Lease, holder: str, now: datetime) -> str:
    """Return who else wants the lease; empty if nobody does."""
    is_fresh = _is_ahead(lease.wanted_until, now, _WISH_LASTING)
    return lease.wanted_by if is_fresh and lease.wanted_by != holder else ""
