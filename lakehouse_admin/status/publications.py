"""Which publication readers see: one indexed query each."""

from __future__ import annotations

from etl.contracts.publication import Publication
from lakehouse_admin.models import PublicationRecord


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
