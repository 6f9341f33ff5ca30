"""One suite for every `Catalog`: pyiceberg's in PostgreSQL, Glue's as moto answers, and the tests' fake."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import boto3
import pyarrow as pa
import pytest
from pyiceberg.table import StaticTable

from etl.contracts.publication import TablePin
from etl.engine.lake import LakeConfig
from etl.ports.catalog import Catalog, CatalogUnavailableError, TableMissingError
from lakehouse_admin.adapters.aws.catalog import GlueCatalog, GlueCatalogConfig
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.errors import PermissionDeniedError
from lakehouse_admin.adapters.embedded.catalog import IcebergCatalog
from tests.aws.glue import FakeGlue
from tests.aws.service import REGION, Fault
from tests.fakes import FakeCatalog
from tests.lakes import lake_in, write_table
from tests.servers import Database

pytestmark = pytest.mark.integration

ROWS = {"gold.first": 2, "gold.second": 0, "silver.orders": 5}


@pytest.fixture
def lake(tmp_path: Path, scratch_database: Callable[[], Database]) -> LakeConfig:
    return lake_in(tmp_path, scratch_database().catalog_url)


def glue_catalog(endpoint: str) -> GlueCatalog:
    """A Glue catalog of the test's own, over tables on S3."""
    bucket = f"bucket-{uuid.uuid4().hex}"
    clients = aws_clients(endpoint)
    clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    config = GlueCatalogConfig(
        database_prefix=f"t{uuid.uuid4().hex}_", warehouse=f"s3://{bucket}/lake", region=REGION, s3_endpoint=endpoint
    )
    return GlueCatalog(
        clients.glue, config, s3_credentials=lambda: {"s3.access-key-id": "tests", "s3.secret-access-key": "tests"}
    )


def aws_clients(endpoint: str) -> AwsClients:
    session = boto3.Session(aws_access_key_id="tests", aws_secret_access_key="tests", region_name=REGION)
    return AwsClients(region=REGION, endpoint=endpoint, session=session)


def write_glue_table(catalog: GlueCatalog, name: str, rows: int) -> None:
    """Commit as the Glue job does: through Iceberg, into the Glue catalog."""
    iceberg = catalog._open()
    namespace, _, table = name.partition(".")
    database = f"{catalog._config.database_prefix}{namespace}"
    iceberg.create_namespace_if_not_exists(database)
    data = pa.table({"id": pa.array(range(rows), pa.int64())})
    location = f"{catalog._config.warehouse}/{namespace}/{table}"
    iceberg.create_table(f"{database}.{table}", data.schema, location=location).append(data)


@pytest.fixture(params=["fake", "iceberg", "glue"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    """A catalog with three tables."""
    if request.param == "fake":
        return FakeCatalog(
            [TablePin(table=name, metadata_location=f"{name}.json", snapshot_id=1, rows=n) for name, n in ROWS.items()]
        )
    if request.param == "glue":
        glue = glue_catalog(request.getfixturevalue("aws_endpoint"))
        for name, rows in ROWS.items():
            write_glue_table(glue, name, rows)
        return glue
    lake: LakeConfig = request.getfixturevalue("lake")
    for name, rows in ROWS.items():
        write_table(lake, name, {"id": "bigint"}, f"SELECT i AS id FROM range({rows}) AS t(i)")
    return IcebergCatalog(lake)


def test_tables_are_listed_by_namespace(catalog: Catalog) -> None:
    assert list(catalog.tables("gold")) == ["gold.first", "gold.second"]
    assert list(catalog.tables("silver")) == ["silver.orders"]
    assert list(catalog.tables("nothing")) == []


def test_pins_come_in_the_order_asked(catalog: Catalog) -> None:
    pins = catalog.pin(["silver.orders", "gold.first", "gold.second"])
    assert [(pin.table, pin.rows) for pin in pins] == [("silver.orders", 5), ("gold.first", 2), ("gold.second", 0)]


def test_pinning_nothing_gives_nothing(catalog: Catalog) -> None:
    assert catalog.pin([]) == ()


def test_a_missing_table_is_named(catalog: Catalog) -> None:
    with pytest.raises(TableMissingError) as caught:
        catalog.pin(["gold.first", "gold.third"])
    assert caught.value.context["table"] == "gold.third"


def test_a_pin_moves_with_the_table_and_the_old_one_stays_readable(lake: LakeConfig) -> None:
    catalog = IcebergCatalog(lake)
    columns = {"id": "bigint"}
    write_table(lake, "gold.first", columns, "SELECT 1 AS id")
    (old,) = catalog.pin(["gold.first"])
    write_table(lake, "gold.first", columns, "SELECT 2 AS id UNION ALL SELECT 3")
    (new,) = catalog.pin(["gold.first"])
    assert (old.rows, new.rows) == (1, 2)
    assert old.snapshot_id != new.snapshot_id
    assert Path(old.metadata_location).exists()


def test_a_catalog_nobody_wrote_to_is_empty(lake: LakeConfig) -> None:
    assert list(IcebergCatalog(lake).tables("gold")) == []


def test_no_answer_is_told_apart_from_no_table(tmp_path: Path) -> None:
    catalog = IcebergCatalog(lake_in(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing"))
    with pytest.raises(CatalogUnavailableError):
        catalog.tables("gold")
    with pytest.raises(CatalogUnavailableError):
        catalog.pin(["gold.first"])


def test_a_glue_pin_is_readable_without_glue(aws_endpoint: str) -> None:
    catalog = glue_catalog(aws_endpoint)
    write_glue_table(catalog, "gold.first", 2)
    (pin,) = catalog.pin(["gold.first"])
    assert pin.metadata_location.startswith(f"{catalog._config.warehouse}/gold/first/metadata/")
    properties = {"s3.endpoint": aws_endpoint, "s3.access-key-id": "tests", "s3.secret-access-key": "tests"}
    table = StaticTable.from_metadata(pin.metadata_location, properties=properties)
    assert table.scan(snapshot_id=pin.snapshot_id).count() == 2


def test_a_glue_table_whose_metadata_is_gone_is_missing(aws_endpoint: str) -> None:
    catalog = glue_catalog(aws_endpoint)
    write_glue_table(catalog, "gold.first", 2)
    (pin,) = catalog.pin(["gold.first"])
    bucket, _, key = pin.metadata_location.removeprefix("s3://").partition("/")
    aws_clients(aws_endpoint).s3.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(TableMissingError, match="metadata file is gone"):
        catalog.pin(["gold.first"])


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("AccessDeniedException", "not authorized to perform: glue:GetTables"), PermissionDeniedError),
        (Fault("ThrottlingException"), CatalogUnavailableError),
        (Fault("InternalServiceException", status=500), CatalogUnavailableError),
    ],
)
def test_what_glue_refuses_is_told_apart(fault: Fault, expected: type[Exception]) -> None:
    glue = FakeGlue()
    config = GlueCatalogConfig(database_prefix="lakeside_dev_", warehouse="s3://bucket/lake", region=REGION)
    catalog = GlueCatalog(glue.client(), config)
    glue.fail("GetTables", fault)
    with pytest.raises(expected):
        catalog.tables("gold")
    glue.fail("GetTable", fault)
    with pytest.raises(expected):
        catalog.pin(["gold.first"])
