"""Which publication readers see: one indexed query each."""

from __future__ import annotations

from datetime import datetime

from etl.contracts.publication import Publication
from lakehouse_admin.models import PipelineRun, PublicationRecord
from lakehouse_admin.states import MOVING_RUN_STATES

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

    def withheld(self) -> datetime | None:
        """Return where the newest ended run's data stands if it was kept from readers, and is newer than theirs."""
        ended = PipelineRun.objects.filter(as_of__isnull=False).exclude(state__in=MOVING_RUN_STATES)
        newest = ended.order_by("-pk").values_list("as_of", "error_class").first()
        if newest is None or newest[0] is None or newest[1] not in _WITHHOLDING:
            return None
        published = PublicationRecord.objects.order_by("-number").values_list("as_of", flat=True).first()
        return newest[0] if published is None or newest[0] > published else None
