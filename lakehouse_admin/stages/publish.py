"""PUBLISH: pin every gold table's current snapshot; `lakehouse_admin.flow` then records the publication."""

from __future__ import annotations

from dataclasses import asdict
from typing import ClassVar

from etl.errors import OperatorError
from etl.ports import Lakehouse
from lakehouse_admin.models import StageRun
from lakehouse_admin.stages.work import Done, Outcome


class NothingToPublishError(OperatorError):
    """The lake holds no gold table."""

    guidance: ClassVar[str] = "Check that `etl/gold/models` holds models, then start a new run."


class Publish:
    """Reads the catalog; there is no job to wait for."""

    def start(self, attempt: StageRun, lakehouse: Lakehouse) -> str:  # noqa: ARG002 - the protocol's signature
        """Do nothing: pinning is quick enough for `poll`."""
        return attempt.key

    def poll(self, attempt: StageRun, lakehouse: Lakehouse) -> Outcome:  # noqa: ARG002 - the protocol's signature
        """Pin the gold tables.

        Raises:
            NothingToPublishError: There are none.
            CatalogUnavailableError: The catalog did not answer.
        """
        tables = lakehouse.catalog.tables("gold")
        if not tables:
            raise NothingToPublishError
        pins = [asdict(pin) for pin in lakehouse.catalog.pin(tables)]
        return Done(summary=f"{len(pins)} gold tables pinned.", result={"pins": pins})

    def cancel(self, attempt: StageRun, lakehouse: Lakehouse) -> None:
        """Do nothing: nothing runs."""
