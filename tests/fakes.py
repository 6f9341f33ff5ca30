"""In-memory twins of the ports; the contract suites run over them too, so they behave as the adapters do."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import FileManifest, LoadManifest
from etl.contracts.publication import Publication, TablePin
from etl.contracts.table import TableId
from etl.ports import Lakehouse
from etl.ports.catalog import TableMissingError
from etl.ports.job_runner import JobId, JobRefusedError, JobSpec, JobState, JobStatus
from etl.ports.object_store import ObjectExistsError, ObjectInfo, ObjectMissingError
from etl.ports.query_engine import QueryResult, QueryUnavailableError, Value
from etl.ports.replicator import LoadState, LoadStatus, TableLoad

LOST = JobStatus(state=JobState.LOST, exit_reason="the process is gone")
RUNNING = JobStatus(state=JobState.RUNNING)
CANCELLED = JobStatus(state=JobState.CANCELLED, exit_reason="cancelled")


class FakeStore:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        if self.objects.setdefault(key, body) != body:
            raise ObjectExistsError(key=key)

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        if key in self.objects:
            raise ObjectExistsError(key=key)
        buffer = io.BytesIO()
        yield buffer
        self.objects[key] = buffer.getvalue()

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise ObjectMissingError(key=key)
        return self.objects[key]

    @contextmanager
    def reader(self, key: str) -> Iterator[BinaryIO]:
        yield io.BytesIO(self.get(key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield ObjectInfo(key=key, size_bytes=len(self.objects[key]))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)

    def uri(self, key: str) -> str:
        return f"memory://{key}"


class FakeCatalog:
    """Tables by qualified name."""

    def __init__(self, pins: Sequence[TablePin] = ()) -> None:
        self.pins = {pin.table: pin for pin in pins}

    def tables(self, namespace: str) -> Sequence[str]:
        return sorted(name for name in self.pins if name.startswith(f"{namespace}."))

    def pin(self, tables: Sequence[str]) -> tuple[TablePin, ...]:
        missing = [name for name in tables if name not in self.pins]
        if missing:
            raise TableMissingError(table=missing[0])
        return tuple(self.pins[name] for name in tables)


@dataclass
class FakeJob:
    """A job and what it will answer."""

    spec: JobSpec
    status: JobStatus


@dataclass
class FakeJobs:
    """Runs nothing: a job's fate is scripted by its name, and can be changed while it "runs"."""

    script: dict[str, Callable[[JobSpec], JobStatus]] = field(default_factory=dict)
    """Given the spec, the status every poll answers; jobs without a script keep running."""
    jobs: dict[JobId, FakeJob] = field(default_factory=dict)
    submissions: list[JobSpec] = field(default_factory=list)
    """Every job that was really started, in order."""

    def submit(self, spec: JobSpec) -> JobId:
        if not spec.key or "/" in spec.key:
            raise JobRefusedError(key=spec.key)
        job = JobId(spec.key)
        if job not in self.jobs:
            script = self.script.get(spec.name, lambda _spec: RUNNING)
            self.jobs[job] = FakeJob(spec=spec, status=script(spec))
            self.submissions.append(spec)
        return job

    def status(self, job: JobId) -> JobStatus:
        return self.jobs[job].status if job in self.jobs else LOST

    def cancel(self, job: JobId) -> None:
        if job in self.jobs and self.jobs[job].status.state is JobState.RUNNING:
            self.jobs[job].status = CANCELLED

    def running(self) -> Sequence[JobId]:
        return [job for job, each in self.jobs.items() if each.status.state is JobState.RUNNING]

    def end(self, job: JobId, status: JobStatus) -> None:
        """Let a running job end."""
        self.jobs[job].status = status


@dataclass
class FakeReplicator:
    """Commits a load manifest to the store at once, or when told."""

    store: FakeStore
    tables: Mapping[str, int] = field(default_factory=lambda: {"tenants": 2, "orders": 5})
    lsn: int = 0x18B4D10
    snapshot_at: str = "2026-11-23T08:00:00+00:00"
    loads: dict[str, LoadStatus] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """Every load that was really started, in order."""
    answers: list[LoadStatus | Exception] = field(default_factory=list)
    """What the next loads answer instead of succeeding; an exception is raised by the request."""

    def start_full_load(self, *, request_id: str, tables: Sequence[TableId] = ()) -> None:  # noqa: ARG002
        if request_id in self.loads:
            return
        answer = self.answers.pop(0) if self.answers else self._succeed(request_id)
        if isinstance(answer, Exception):
            raise answer
        self.loads[request_id] = answer
        self.requests.append(request_id)

    def load_status(self, request_id: str) -> LoadStatus:
        lost = LoadStatus(
            state=LoadState.FAILED, load_id=None, error_class="etl.ports.job_runner.JobLostError", error_message="gone"
        )
        return self.loads.get(request_id, lost)

    def cancel_full_load(self, request_id: str) -> None:
        load = self.loads.get(request_id)
        if load is not None and load.state is LoadState.RUNNING:
            self.loads[request_id] = replace(load, state=LoadState.CANCELLED)

    def _succeed(self, request_id: str) -> LoadStatus:
        self.lsn += 0x100
        load_id = f"{self.lsn:016X}"
        files = tuple(_file(TableId.parse(name), rows) for name, rows in self.tables.items())
        manifest = LoadManifest(
            load_id=load_id,
            request_id=request_id,
            lsn=self.lsn,
            snapshot_at=self.snapshot_at,
            files=files,
            tables=tuple(file.table for file in files),
        )
        self.store.put(load_manifest_key(load_id), manifest.to_json().encode())
        return LoadStatus(
            state=LoadState.SUCCEEDED,
            load_id=load_id,
            tables=tuple(TableLoad(table=file.table, rows=file.rows, size_bytes=file.size_bytes) for file in files),
        )


class FakeQueries:
    """Answers nothing: the control plane asks no questions."""

    def query(
        self, sql: str, *, tenant_id: int, publication: Publication, parameters: Sequence[Value] = ()
    ) -> QueryResult:
        del sql, tenant_id, publication, parameters
        raise QueryUnavailableError


@dataclass(frozen=True, kw_only=True)
class FakeLakehouse:
    """The five fakes, each reachable by its own type, and the bundle of them."""

    store: FakeStore
    replicator: FakeReplicator
    catalog: FakeCatalog
    jobs: FakeJobs

    @property
    def ports(self) -> Lakehouse:
        return Lakehouse(
            replicator=self.replicator, store=self.store, catalog=self.catalog, jobs=self.jobs, queries=FakeQueries()
        )


def fake_lakehouse() -> FakeLakehouse:
    """Return a backend on which every run succeeds at once, until told otherwise."""
    store = FakeStore()
    replicator = FakeReplicator(store=store)
    pins = [TablePin(table="gold.daily_revenue", metadata_location="memory://m1", snapshot_id=1, rows=3)]
    jobs = FakeJobs(
        script={
            "bronze_to_silver": lambda _spec: succeeded(silver_result(replicator.tables)),
            "reconcile": lambda _spec: succeeded(reconcile_result(replicator.tables)),
            "silver_to_gold": lambda _spec: succeeded(gold_result(pins)),
        }
    )
    return FakeLakehouse(store=store, replicator=replicator, catalog=FakeCatalog(pins), jobs=jobs)


def succeeded(result: Mapping[str, Any]) -> JobStatus:
    return JobStatus(state=JobState.SUCCEEDED, result=result)


def failed(error: type[Exception], message: str = "It did not work.") -> JobStatus:
    return JobStatus(
        state=JobState.FAILED, error_class=f"{error.__module__}.{error.__qualname__}", error_message=message
    )


def _file(table: TableId, rows: int) -> FileManifest:
    return FileManifest(
        key=f"{table.schema}/{table.name}/LOAD00000001.csv.gz",
        table=table,
        rows=rows,
        size_bytes=rows * 10,
        sha256="0" * 64,
        first_change_seq="0" * 35,
        last_change_seq="0" * 35,
        contract_version=1,
        contract_fingerprint="0" * 16,
    )


def silver_result(tables: Mapping[str, int], *, rejects: int = 0) -> dict[str, Any]:
    """Return what ``bronze_to_silver`` reports."""
    return {
        "tables": [
            {
                "table": name,
                "rows": rows - rejects,
                "rejects": rejects,
                "size_bytes": rows * 20,
                "tenant_rows": {"1": rows - rows // 3, "2": rows // 3},
            }
            for name, rows in tables.items()
        ]
    }


def reconcile_result(tables: Mapping[str, int], *, different: Sequence[str] = ()) -> dict[str, Any]:
    """Return what ``reconcile`` reports."""
    return {
        "tables": [
            {
                "table": name,
                "source_rows": rows,
                "silver_rows": rows - (name in different),
                "source_hash": "aa",
                "silver_hash": "bb" if name in different else "aa",
                "equal": name not in different,
            }
            for name, rows in tables.items()
        ]
    }


def gold_result(pins: Sequence[TablePin]) -> dict[str, Any]:
    """Return what ``silver_to_gold`` reports."""
    return {"models": [{"table": pin.table, "outcome": "written", "rows": pin.rows} for pin in pins]}
