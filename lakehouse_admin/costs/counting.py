"""Count what AWS charges for: what a stage of a run used, and what a question scanned.

Glue reports its DPU-seconds and Athena its bytes; those are taken as they are. What AWS
reports for no run alone (requests, storage, the hours of a DMS instance) is counted here
from what the run moved, by the rules of docs/costs.md. So is everything where the lake is
embedded: then it is what the same run would have used on AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from lakehouse_admin.states import Stage

GIBIBYTE = Decimal(2**30)
"""What AWS calls a GB."""
TEBIBYTE = Decimal(2**40)
HOUR_SECONDS = 3600
LEAST_QUERY_BYTES = 10 * 2**20
"""Athena charges a query for no less."""
LEAST_JOB_SECONDS = 60
"""Glue charges a Spark job for no less."""
SMALLEST_JOB_DPUS = 2
"""Two G.1X workers: the fewest that a Spark job can have."""
_METADATA_FILES = 3
"""What an Iceberg commit writes beside its data: a manifest, a list of manifests, the table's metadata."""
_METADATA_READS = 2
"""What opening a table at its snapshot reads first, beside the catalog's answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a stage of a run works on."""

    tables: int = 0
    bronze_files: int = 0
    bronze_bytes: int = 0
    silver_bytes: int = 0
    partitions: int = 0
    """Silver's data files: at least one a table and tenant."""
    models: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How long an attempt worked, and what its backend metered."""

    seconds: float
    metered: Mapping[str, float] = field(default_factory=dict)
    """As `JobStatus.usage`."""


def stage_use(stage: Stage, spent: Spent, moved: Moved) -> dict[str, Decimal]:
    """Return the quantities, by item of the price book, of one attempt at a stage."""
    match stage:
        case Stage.REPLICATE:
            # Each file is landed by DMS, then copied into bronze, where its manifest stands beside it.
            writes, reads, kept_bytes = 3 * moved.bronze_files + moved.tables, moved.bronze_files, moved.bronze_bytes
            intake = Spent(seconds=0, metered=spent.metered)
            return {
                "dms.instance_hour": Decimal(str(spent.seconds)) / HOUR_SECONDS,
                "glue.dpu_hour": _dpu_hours(intake),
                **_stored(writes=writes, reads=reads, kept_bytes=kept_bytes),
            }
        case Stage.SILVER:
            writes, reads = moved.partitions + _METADATA_FILES * moved.tables, moved.bronze_files + moved.tables
            kept_bytes = moved.silver_bytes
        case Stage.QUALITY:
            writes, reads, kept_bytes = 0, moved.partitions + _METADATA_READS * moved.tables, 0
        case Stage.GOLD:
            writes = (1 + _METADATA_FILES) * moved.models
            reads, kept_bytes = moved.partitions + _METADATA_READS * moved.tables, 0
        case _:  # Publishing is a row in PostgreSQL.
            return {}
    return {"glue.dpu_hour": _dpu_hours(spent), **_stored(writes=writes, reads=reads, kept_bytes=kept_bytes)}


def charged_bytes(scanned_bytes: int) -> int:
    """Return how many bytes Athena charges one query for."""
    return max(scanned_bytes, LEAST_QUERY_BYTES)


def _dpu_hours(spent: Spent) -> Decimal:
    """Return what Glue charges a job for: the DPU-seconds it reported, or a smallest job as long as this one."""
    seconds = spent.metered.get("seconds", spent.seconds)
    dpu_seconds = spent.metered.get("dpu_seconds", 0.0)
    dpus = dpu_seconds / seconds if dpu_seconds and seconds else SMALLEST_JOB_DPUS
    charged = max(dpu_seconds, dpus * max(seconds, LEAST_JOB_SECONDS))
    return Decimal(str(charged)) / HOUR_SECONDS


def _stored(*, writes: int, reads: int, kept_bytes: int) -> dict[str, Decimal]:
    """Return the requests to S3, and a month of keeping what was written."""
    return {
        "s3.write_request": Decimal(writes),
        "s3.read_request": Decimal(reads),
        "s3.storage_gb_month": kept_bytes / GIBIBYTE,
    }
