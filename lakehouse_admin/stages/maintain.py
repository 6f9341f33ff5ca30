"""MAINTAIN: publications are retired, then the lake gives back what nothing needs any more."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from etl.ports import Lakehouse
from lakehouse_admin.actions.request_maintenance import MaintainedByAwsError
from lakehouse_admin.actions.retire_publications import kept_pins, retire_publications
from lakehouse_admin.lease import LAKE, Held, run_holder
from lakehouse_admin.models import StageRun
from lakehouse_admin.retention import retention
from lakehouse_admin.stages.work import Done, Facts, JobWork


class Maintain(JobWork):
    """The job ``maintain``, over the publications that stay."""

    job = "maintain"

    def start(self, attempt: StageRun, lakehouse: Lakehouse) -> str:
        """Retire what retention does not keep, then submit the job.

        Raises:
            LeaseLostError: Somebody else writes the lake now.
            MaintainedByAwsError: The lake is not in a folder.
        """
        if settings.AWS is not None:
            raise MaintainedByAwsError
        held = Held(name=LAKE, holder=run_holder(attempt.run_id), token=attempt.run.lake_token or 0)
        retire_publications(held=held, rule=retention(), now=timezone.now())
        return super().start(attempt, lakehouse)

    def arguments(self, attempt: StageRun) -> Facts:  # noqa: ARG002 - the base class's signature
        """Say what has to stay."""
        return maintain_arguments(pins=[asdict(pin) for pin in kept_pins()])

    def done(self, attempt: StageRun, result: Facts) -> Done:  # noqa: ARG002 - the base class's signature
        """Say what was given back, and which tables a person has to look at."""
        return Done(summary=maintained_sentence(result), result=result)


def maintain_arguments(*, pins: list[dict[str, Any]]) -> dict[str, object]:
    """Return the job's arguments, but for the lake."""
    return {
        "pins": pins,
        "safe_age_seconds": settings.LAKEHOUSE.safe_age_seconds,
        "bronze_keep_seconds": int(timedelta(days=settings.LAKEHOUSE.bronze_keep_days).total_seconds()),
    }


def maintained_sentence(result: Facts) -> str:
    """Say what a maintenance did, or would do, in a sentence or two."""
    tables: list[dict[str, Any]] = list(result["tables"])  # type: ignore[call-overload]
    bronze: dict[str, Any] = dict(result["bronze"])  # type: ignore[call-overload]
    files = sum(each["removed_files"] for each in tables) + bronze["files"]
    size_bytes = sum(each["removed_bytes"] for each in tables) + bronze["size_bytes"]
    partitions = sum(each["compacted_partitions"] for each in tables)
    snapshots = sum(each["forgotten_snapshots"] for each in tables)
    would = "would be " if result["dry_run"] else ""
    sentence = (
        f"{files:,} files, {filesizeformat(size_bytes)}, {would}removed; "
        f"{snapshots:,} snapshots forgotten, {partitions:,} partitions compacted."
    ).replace("\xa0", " ")
    problems = [f"{each['table']}: {each['problem']}" for each in tables if each["problem"]]
    return " ".join([sentence, *problems])
