"""The five ports between the control plane and a backend, and the bundle of them.

Every port names its errors, which calls are idempotent and that none of them waits for
long work. `lakehouse_admin/adapters/embedded` and `.../aws` implement them;
`lakehouse_admin/wiring.py` alone chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.ports.catalog import Catalog
from etl.ports.job_runner import JobRunner
from etl.ports.object_store import ObjectStore
from etl.ports.query_engine import QueryEngine
from etl.ports.replicator import Replicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Lakehouse:
    """One backend, wired."""

    replicator: Replicator
    store: ObjectStore
    catalog: Catalog
    jobs: JobRunner
    queries: QueryEngine
