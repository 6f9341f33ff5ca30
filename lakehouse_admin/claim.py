"""Who may move a run now: a lease against doubled work, a fencing token against late work.

A claim is one short transaction. What its holder then asks of ports happens outside any
transaction; what it records is written under `holding`, which proves the token again. A
worker that was paused past its lease is outrun by the next claim and can write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from etl.errors import TransientError
from lakehouse_admin.models import PipelineRun
from lakehouse_admin.states import MOVING_RUN_STATES

LEASE = timedelta(seconds=30)
"""Longer than any step (submitting and polling take milliseconds, a slow S3 call seconds);
short enough that a killed worker's run moves again within a minute."""


class ClaimLostError(TransientError):
    """Another worker has taken the run over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to move one run, until the lease ends or a later token exists."""

    run_id: int
    token: int


def claim_run(run_id: int, *, now: datetime, token: int | None = None) -> Claim | None:
    """Claim a run, or return None if there is nothing to claim.

    Nothing to claim means: the run is final or waits for a person, its row is locked or
    leased by another worker, or ``token`` is not its current one, which makes the message
    that carried it a duplicate.
    """
    ended = Q(lease_expires_at__lte=now) | Q(lease_expires_at__gt=now + 2 * LEASE)  # The latter: a clock was set back.
    free = Q(lease_expires_at__isnull=True) | ended
    with transaction.atomic():
        run = (
            PipelineRun.objects.select_for_update(skip_locked=True)
            .filter(free, pk=run_id, state__in=MOVING_RUN_STATES)
            .only("fencing_token")
            .first()
        )
        if run is None or (token is not None and token != run.fencing_token):
            return None
        claim = Claim(run_id=run_id, token=run.fencing_token + 1)
        PipelineRun.objects.filter(pk=run_id).update(fencing_token=claim.token, lease_expires_at=now + LEASE)
    return claim


@contextmanager
def holding(claim: Claim) -> Iterator[PipelineRun]:
    """Open a transaction in which the run is locked and the claim proven; yield the run.

    Raises:
        ClaimLostError: A later claim exists. Nothing written in the block is kept.
    """
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().filter(pk=claim.run_id, fencing_token=claim.token).first()
        if run is None:
            raise ClaimLostError(run=claim.run_id, token=claim.token)
        yield run


def release(claim: Claim, *, due_at: datetime | None) -> bool:
    """Give the run back, to be moved again at ``due_at``; tell whether it was still ours."""
    return bool(
        PipelineRun.objects.filter(pk=claim.run_id, fencing_token=claim.token).update(
            lease_expires_at=None, advance_due_at=due_at
        )
    )
