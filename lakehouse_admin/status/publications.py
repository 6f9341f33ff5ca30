"""Which publication readers see: one indexed query each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Min

from etl.contracts.publication import Publication, Withheld
from lakehouse_admin.models import PipelineRun, PublicationRecord, StageRun
from lakehouse_admin.states import MOVING_RUN_STATES, StageState

_WITHHOLDING = {
    "lakehouse_admin.stages.quality.NotReconciledError",
    "lakehouse_admin.stages.quality.SilverCheckFailedError",
    "etl.gold.results.GoldIncompleteError",
}
"""Errors of runs whose data was there, and was not good enough for readers."""


class RecordedPublications:
    """The `PublicationReader` over the control plane's own table."""

    def current(self) -> Publication | None:
        """Return the newest publication; None before the first."""
        record = PublicationRecord.objects.order_by("-number").first()
        return record.to_contract() if record else None

    def at(self, number: int) -> Publication | None:
        """Return publication ``number``; None if there is none."""
        record = PublicationRecord.objects.filter(number=number).first()
        return record.to_contract() if record else None

    def withheld(self) -> Withheld | None:
        """Return what is kept from readers though it is newer than theirs; None if nothing is."""
        found = held_back()
        return Withheld(as_of=found.as_of, since=found.since) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """The newest ended run, if its data broke a check; for the platform's own staff."""

    run: PipelineRun
    as_of: datetime
    since: datetime

    @property
    def why(self) -> str:
        """The checks that failed, or the tables that differ."""
        return self.run.error_message


def held_back() -> HeldBack | None:
    """Return the run whose data is newer than readers', and kept from them; None if there is none."""
    ended = PipelineRun.objects.filter(as_of__isnull=False).exclude(state__in=MOVING_RUN_STATES)
    newest = ended.order_by("-pk").first()
    if newest is None or newest.as_of is None or newest.error_class not in _WITHHOLDING:
        return None
    published = PublicationRecord.objects.order_by("-number").values_list("as_of", flat=True).first()
    if published is not None and newest.as_of <= published:
        return None
    kept = ended.filter(error_class__in=_WITHHOLDING)
    newer = kept if published is None else kept.filter(as_of__gt=published)
    failed = StageRun.objects.filter(run__in=newer, state=StageState.FAILED)
    since = failed.aggregate(Min("finished_at"))["finished_at__min"]
    return HeldBack(run=newest, as_of=newest.as_of, since=since or newest.requested_at)
