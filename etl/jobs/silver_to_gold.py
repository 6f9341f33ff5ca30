"""Job: compute every gold model from silver's current snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from etl.engine.lake import LakeConfig
from etl.gold.materialise import materialise
from etl.gold.results import GoldIncompleteError, ModelResult
from etl.jobs.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class SilverToGold:
    """What the job needs to know."""

    lake: LakeConfig
    as_of: str | None = None
    """Source time at which silver stands, ISO 8601 with zone; silver's latest commit time if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldResult:
    """What the job did, model by model, in the order computed."""

    models: tuple[ModelResult, ...]
    problem: str | None = None
    """Which models could not be brought up to date, and why; None if all stand."""


def run(arguments: SilverToGold, progress: Progress) -> GoldResult:
    """Bring gold up to date with silver; a model that breaks its checks is a result, with the checks, not an error.

    Raises:
        ModelError: A model file is wrong; nothing was written.
        TableMissingError: Silver is empty; nothing was written.
        CatalogUnavailableError: The catalog did not answer.
        ValueError: ``as_of`` is no time.
    """
    as_of = datetime.fromisoformat(arguments.as_of) if arguments.as_of else None
    try:
        return GoldResult(models=materialise(arguments.lake, progress, as_of=as_of))
    except GoldIncompleteError as error:
        return GoldResult(models=error.results, problem=str(error))
