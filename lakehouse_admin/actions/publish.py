"""Publish: make one version of gold what every reader sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from django.db import connection

from etl.errors import LakehouseError
from etl.follow.failpoint import Failpoint, Moment, ignore
from lakehouse_admin.lease import LAKE, Held, proving, run_holder
from lakehouse_admin.models import PipelineRun, PublicationRecord
from lakehouse_admin.record_event import record_event
from lakehouse_admin.states import RunState, Stage
from lakehouse_admin.transition import transition

_ONE_PUBLISHER = 0x6C616B65  # "lake": the advisory lock under which publications get their numbers


class PublicationRefusedError(LakehouseError):
    """Publishing this would take readers back to older data."""

    guidance: ClassVar[str] = "Start a new run: it publishes the source as it is now."


def publish(*, run: PipelineRun, pins: Sequence[Mapping[str, object]], now: datetime) -> PublicationRecord:
    """Insert the run's publication and finish the run, both or neither.

    The caller is inside `lakehouse_admin.claim.holding`: the run's row is locked and its
    fencing token proven, so a worker that lost its claim never gets here.

    Args:
        run: The locked run, still running.
        pins: Fields of a `TablePin` per gold table.
        now: Publication time (UTC).

    Raises:
        LeaseLostError: Somebody else writes the lake now.
        PublicationRefusedError: A publication of newer source data exists, or the run does not know its own.
        TransitionRefusedError: The run is not running, e.g. being cancelled.
    """
    if run.as_of is None or run.source_lsn is None:
        raise PublicationRefusedError("The run does not know which source position its data has.")
    held = Held(name=LAKE, holder=run_holder(run.pk), token=run.lake_token or 0)
    publication = publish_version(held=held, pins=pins, as_of=run.as_of, source_lsn=run.source_lsn, now=now, run=run)
    transition(run, to=RunState.SUCCEEDED, finished_at=now)
    record_event(
        run,
        "gold_published",
        f"Publication {publication.number} is what readers see now.",
        at=now,
        stage=Stage.PUBLISH,
        number=publication.number,
        tables=len(publication.pins),
    )
    return publication


def publish_version(
    *,
    held: Held,
    pins: Sequence[Mapping[str, object]],
    as_of: datetime,
    source_lsn: int,
    now: datetime,
    run: PipelineRun | None = None,
    failpoint: Failpoint = ignore,
) -> PublicationRecord:
    """Insert the next publication, in a transaction that proves who writes the lake.

    Args:
        held: The caller's lease on the lake.
        pins: Fields of a `TablePin` per gold table.
        as_of: Source time up to which the data is complete (UTC).
        source_lsn: The position of the log it stands at.
        now: Publication time (UTC).
        run: The run that made it; None for changes that were followed without one.
        failpoint: Told once the row is written, in the open transaction.

    Raises:
        LeaseLostError: Somebody else writes the lake now.
        PublicationRefusedError: A publication of newer source data exists.
    """
    with proving(held):
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_ONE_PUBLISHER])
        newest = PublicationRecord.objects.order_by("-number").first()
        # Both, because a source restored from a backup starts again at a lower position, later.
        if newest is not None and source_lsn < newest.source_lsn and as_of < newest.as_of:
            raise PublicationRefusedError
        publication = PublicationRecord.objects.create(
            number=newest.number + 1 if newest else 1,
            run=run,
            published_at=now,
            as_of=as_of,
            source_lsn=source_lsn,
            pins=list(pins),
        )
        failpoint(Moment.PUBLISHING)
        return publication
