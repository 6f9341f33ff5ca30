"""One run of the pipeline with AWS's adapters, from a seeded source to a dashboard, on this machine alone.

What stands where: S3, the Glue catalog and Secrets Manager are moto's server on loopback;
DMS is a fake that botocore's model checks, and lands files as DMS writes them; the Glue job
is its real script, in a process of its own, for what it does in Python, and `Engine` for
what it does on Spark; Athena is a fake that computes what it is asked, over the rows of
the Glue catalog's own snapshots.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from django.core.cache import cache
from django.db import connections
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

from config import env
from dashboards.metrics.definitions import tenant_models
from dashboards.pages.registry import CHARTS
from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.bronze.reader import verify
from etl.contracts.publication import Publication
from etl.contracts.source import open_source, read_contracts
from etl.contracts.table import TableId
from etl.engine.lake import LakeConfig
from etl.ports import Lakehouse
from etl.ports.query_engine import QueryEngine, QueryResult, Value
from lakehouse_admin.actions.trigger_run import trigger_run
from lakehouse_admin.adapters.aws.catalog import GlueCatalog, GlueCatalogConfig
from lakehouse_admin.adapters.aws.dms import dms_task
from lakehouse_admin.adapters.aws.job_runner import GlueJobRunner
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.query_engine import AthenaConfig, AthenaQueryEngine
from lakehouse_admin.adapters.aws.replicator import DmsReplicator
from lakehouse_admin.adapters.embedded.catalog import IcebergCatalog
from lakehouse_admin.adapters.embedded.query_engine import DuckDBQueryEngine
from lakehouse_admin.flow import advance
from lakehouse_admin.models import Pipeline, PipelineRun, PublicationRecord
from lakehouse_admin.states import Reconciliation, RunState, Stage, Trigger
from lakehouse_admin.wiring import _tenant_tables
from saas.factories import MembershipFactory, UserFactory
from saas.models import Tenant, User
from saas.tenancy.scope import tenant_scope
from tests.aws.account import Account, make_account
from tests.aws.athena import DATABASE, WORKGROUP, FakeAthena
from tests.aws.dms import TASK, FakeDms
from tests.aws.glue import JOB, FakeGlue
from tests.aws.landing import land_source
from tests.aws.service import REGION
from tests.lakes import lake_in
from tests.rehearsal.engine import EmbeddedEngine, feed
from tests.servers import Servers

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": REGION}
_EMPTY = (
    "truncate lakehouse_publications, lakehouse_run_events, lakehouse_table_results, lakehouse_check_results,"
    " lakehouse_stage_runs, lakehouse_runs, lakehouse_pipelines"
)


@dataclass
class World:
    """Everything that stands for AWS, and the backend that thinks it is."""

    account: Account
    dms: FakeDms
    glue: FakeGlue
    athena: FakeAthena
    lakehouse: Lakehouse
    queries: AthenaQueryEngine
    source_url: str
    tables: list[TableId]
    lake: LakeConfig
    """Where `EmbeddedEngine` computes."""
    scripts: list[str]
    """Jobs that the Glue script ran in a process of its own."""

    @property
    def bronze(self) -> S3Store:
        return S3Store(self.account.clients.s3, bucket=self.account.bucket, prefix="lake/bronze")


QUERIES: list[QueryEngine] = []


def query_engine() -> QueryEngine:
    """`settings.QUERY_ENGINE` while the dashboard is looked at."""
    return QUERIES[-1]


@pytest.fixture(scope="module")
def seeded(servers: Servers, django_db_setup: None) -> str:
    """Fill the session's own database with a small company's data; return the replicator's URL."""
    values = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(servers.home), "DATABASE_URL": servers.postgres.url}
    subprocess.run(
        [sys.executable, "manage.py", "seed_data", "--scale", "small"],
        cwd=env.PROJECT,
        env=env.child_environment(values),
        check=True,
        capture_output=True,
        timeout=120,
    )
    return str(env.load().lakehouse.source_url)


@pytest.fixture
def world(
    aws_endpoint: str,
    seeded: str,
    *,
    servers: Servers,
    tmp_path: Path,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    for name, text in _CREDENTIALS.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr("lakehouse_admin.enqueue._send", lambda **_message: None)
    tables = [TableId.parse(name) for name in env.SOURCE_TABLES]
    with open_source(seeded) as connection:
        account = make_account(aws_endpoint, read_contracts(connection, tables), source_url=seeded)
    with servers.scratch_database() as catalog, django_db_blocker.unblock():
        yield make_world(account, aws_endpoint, seeded, tables, lake_in(tmp_path, catalog.catalog_url))
        with connections["owner"].cursor() as cursor:
            cursor.execute(_EMPTY)


def make_world(account: Account, endpoint: str, source_url: str, tables: list[TableId], lake: LakeConfig) -> World:
    clients, lake_uri = account.clients, account.settings.lake_uri
    dms, glue, athena = FakeDms(), FakeGlue(), FakeAthena()
    glue.clock = athena.clock = dms.clock
    prefix = f"{account.settings.glue_job.replace('-', '_')}_"
    catalog = GlueCatalog(
        clients.glue,
        GlueCatalogConfig(
            database_prefix=prefix, warehouse=f"{lake_uri}/warehouse", region=REGION, s3_endpoint=endpoint
        ),
        s3_credentials=lambda: {"s3.access-key-id": "tests", "s3.secret-access-key": "tests"},
    )
    for schema in ("silver", "gold", "quarantine"):
        clients.glue.create_database(DatabaseInput={"Name": f"{prefix}{schema}"})
    jobs_store = S3Store(clients.s3, bucket=account.bucket, prefix="lake/jobs")
    jobs = GlueJobRunner(
        glue.client(),
        store=jobs_store,
        job_name=JOB,
        defaults={"lake_uri": lake_uri, "landing_uri": account.settings.landing_uri},
        source_secret=account.settings.source_secret,
        now=dms.clock.now,
    )
    replicator = DmsReplicator(
        dms_task(dms.client(), TASK),
        jobs=jobs,
        store=jobs_store,
        tables=tables,
        landing_uri=account.settings.landing_uri,
        now=dms.clock.now,
    )
    queries = AthenaQueryEngine(
        athena.client(),
        AthenaConfig(workgroup=WORKGROUP, catalog="AwsDataCatalog", database=DATABASE),
        tenant_tables=_tenant_tables,
        now=dms.clock.now,
        monotonic=dms.clock.monotonic,
        sleep=dms.clock.sleep,
    )
    bronze = S3Store(clients.s3, bucket=account.bucket, prefix="lake/bronze")
    lakehouse = Lakehouse(replicator=replicator, store=bronze, catalog=catalog, jobs=jobs, queries=queries)
    world = World(
        account=account,
        dms=dms,
        glue=glue,
        athena=athena,
        lakehouse=lakehouse,
        queries=queries,
        source_url=source_url,
        tables=tables,
        lake=lake,
        scripts=[],
    )
    engine = EmbeddedEngine(lake, catalog._open(), database_prefix=prefix, warehouse=f"{lake_uri}/warehouse")

    def work(run: dict[str, Any]) -> None:
        key = run["Arguments"]["--lakeside_key"]
        spec = json.loads(jobs_store.get(f"{key}/spec.json"))
        if spec["name"] == "dms_intake":
            world.scripts.append(spec["name"])
            run["JobRunState"] = "SUCCEEDED" if run_script(run["Arguments"], endpoint) == 0 else "FAILED"
            return
        result = engine.run(spec["name"], spec["arguments"], bronze)
        jobs_store.put(f"{key}/result.json", json.dumps({"state": "succeeded", "result": result}).encode())
        run["JobRunState"] = "SUCCEEDED"
        if spec["name"] == "silver_to_gold":
            feed(athena, catalog._open(), prefix)

    glue.on_start = work
    return world


def run_script(arguments: dict[str, str], endpoint: str) -> int:
    """Run the Glue job's script as Glue does, told where its emulator is."""
    flat = [part for pair in arguments.items() for part in pair]
    command = [sys.executable, "-m", "lakehouse_admin.adapters.aws.glue_main", *flat]
    command += ["--lakeside_endpoint", endpoint, "--lakeside_region", REGION, "--JOB_NAME", JOB]
    done = subprocess.run(
        command,
        cwd=env.PROJECT,
        env=env.child_environment(_CREDENTIALS),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    sys.stderr.write(done.stderr)
    return done.returncode


def drive(run: PipelineRun, world: World) -> None:
    """Call `advance` as the tasks do; DMS does a bit of its work between the calls."""
    now = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    for _ in range(60):
        following = advance(run.pk, lakehouse=world.lakehouse, now=now)
        if following is None:
            break
        now += timedelta(seconds=following.delay_seconds)
        world.dms.clock.advance(max(following.delay_seconds, 0.1))
        move_dms(world)
    run.refresh_from_db()


def move_dms(world: World) -> None:
    dms = world.dms
    if dms.status == "starting":
        dms.event("started")
    elif dms.status == "running":
        landing = S3Store(world.account.clients.s3, bucket=world.account.bucket, prefix="landing")
        for table, rows in land_source(landing, world.source_url, world.tables, at=dms.load_started).items():
            dms.load(table.name, rows=rows)
        dms.finish_load()
        dms.event("finished", reason="FULL_LOAD_ONLY_FINISHED")


def new_run() -> PipelineRun:
    return trigger_run(
        pipeline=Pipeline.objects.default(), trigger=Trigger.CONSOLE, now=datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    )


def test_a_run_goes_from_the_source_to_a_dashboard(world: World, settings: Settings) -> None:
    run = new_run()
    drive(run, world)

    assert run.state == RunState.SUCCEEDED, run.error_message
    assert world.scripts == ["dms_intake"]
    load = LoadManifest.from_json(world.bronze.get(load_manifest_key(run.load_id)))
    verify(world.bronze, load.files)
    counts = source_counts(world)
    assert {table.name: sum(file.rows for file in load.files_of(table)) for table in load.tables} == counts
    results = {result.table: result for result in run.table_results.all()}
    assert {name: result.silver_rows for name, result in results.items()} == counts
    assert {result.reconciliation for result in results.values()} == {Reconciliation.EQUAL}
    publication = PublicationRecord.objects.get()
    assert publication.source_lsn == load.lsn
    assert all(pin.metadata_location.startswith("s3://") for pin in publication.to_contract().pins)
    print_table(results)

    settings.QUERY_ENGINE = f"{__name__}.query_engine"
    client, tenant = sign_in()
    by_athena = look_at(client, tenant, world.queries)
    assert "publication 1" in by_athena["page"]
    assert escape(tenant.name) in by_athena["page"]
    assert world.athena.executions
    assert look_at(client, tenant, InPlaceOfAthena(world.lake, publication.to_contract())) == by_athena
    assert all("?" in execution.sql and execution.parameters for execution in world.athena.executions.values())


def test_a_job_that_fails_half_way_publishes_nothing(world: World) -> None:
    work = world.glue.on_start

    def die(run: dict[str, Any]) -> None:
        if len(world.glue.runs) > 1:
            run |= {"JobRunState": "FAILED", "ErrorMessage": "Command failed with exit code 137"}
        else:
            work(run)

    world.glue.on_start = die
    run = new_run()
    drive(run, world)
    assert run.state == RunState.FAILED
    assert not PublicationRecord.objects.exists()
    failed = run.stage_runs.filter(stage=Stage.SILVER).order_by("attempt").last()
    assert failed is not None
    assert failed.attempt > 1, "a lost job is tried again on its own"
    assert "exit code 137" in failed.exit_reason


def source_counts(world: World) -> dict[str, int]:
    with psycopg.connect(world.source_url) as source:
        return {
            table.name: source.execute(f"SELECT COUNT(*) FROM {table.name}".encode()).fetchall()[0][0]
            for table in world.tables
        }


class InPlaceOfAthena:
    """DuckDB over the local lake's own snapshots of the same gold, whatever publication it is asked about."""

    def __init__(self, lake: LakeConfig, publication: Publication) -> None:
        names = [pin.table for pin in publication.pins]
        self._publication = replace(publication, pins=IcebergCatalog(lake).pin(names))
        self._engine = DuckDBQueryEngine(lake)

    def query(
        self, sql: LiteralString, *, tenant_id: int, publication: Publication, parameters: Sequence[Value] = ()
    ) -> QueryResult:
        del publication
        return self._engine.query(sql, tenant_id=tenant_id, publication=self._publication, parameters=parameters)


def sign_in() -> tuple[Client, Tenant]:
    """Return a browser in which the first tenant's owner has signed in."""
    with psycopg.connect(str(env.load().database_url)) as owner:
        ((tenant_id,),) = owner.execute("SELECT MIN(id) FROM tenants").fetchall()
    user: User = UserFactory()
    with tenant_scope(tenant_id):
        tenant = Tenant.objects.get(pk=tenant_id)
        MembershipFactory(user=user, tenant=tenant, role="owner")
    client = Client()
    client.force_login(user)
    return client, tenant


def look_at(client: Client, tenant: Tenant, engine: QueryEngine) -> dict[str, str]:
    """Return the tenant's page, the data of every chart and of every model, as one engine answers them."""
    QUERIES.append(engine)
    cache.clear()
    address = f"/t/{tenant.slug}/"
    paths = {"page": address, **{name: f"{address}data/{name}.csv" for name in CHARTS}}
    answers = {name: client.get(path, {"days": 180}) for name, path in paths.items()}
    for model in tenant_models():
        answers[f"{model.name}.csv"] = client.get(f"{address}models/{model.name}.csv")
        answers[f"{model.name}.json"] = client.get(f"{address}models/{model.name}.json", {"page_size": 3, "page": 2})
    assert {answer.status_code for answer in answers.values()} == {200}
    texts = {name: b"".join(answer).decode() for name, answer in answers.items()}
    texts["page"] = re.sub(r'nonce="[^"]*"|csrfmiddlewaretoken" value="[^"]*"', "", texts["page"])
    return texts


def print_table(results: dict[str, Any]) -> None:
    for name, result in sorted(results.items()):
        sys.stdout.write(
            f"{name:<15} {result.source_rows:>10,} {result.bronze_rows:>10,} {result.silver_rows:>10,} equal\n"
        )
