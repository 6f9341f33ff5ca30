"""`Catalog` on the AWS Glue Data Catalog, through pyiceberg's `GlueCatalog`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.catalog.glue import GlueCatalog as PyIcebergGlueCatalog
from pyiceberg.exceptions import NoSuchIcebergTableError, NoSuchNamespaceError, NoSuchTableError

from etl.contracts.publication import TablePin
from etl.engine.tables import summary
from etl.ports.catalog import CatalogUnavailableError, TableMissingError
from lakehouse_admin.adapters.aws.errors import aws_errors

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

CATALOG_NAME = "lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlueCatalogConfig:
    """Where tables are listed, and how their metadata files are read."""

    database_prefix: str
    """Before the schema's name: ``lakeside_dev_`` makes ``gold`` the database ``lakeside_dev_gold``."""
    warehouse: str
    """Root of the Iceberg tables, ``s3://...``."""
    region: str
    s3_endpoint: str | None = None


class GlueCatalog:
    """Reads the table list and current snapshots."""

    def __init__(
        self,
        client: GlueClient,
        config: GlueCatalogConfig,
        *,
        s3_credentials: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Remember where to look; nothing is read yet.

        Args:
            client: boto3's Glue client.
            config: Where tables are listed.
            s3_credentials: Gives pyiceberg's ``s3.*`` properties; by default Arrow finds credentials as boto3 does.
        """
        self._client = client
        self._config = config
        self._s3_credentials = s3_credentials

    def tables(self, namespace: str) -> Sequence[str]:
        """Return the namespace's qualified table names, sorted; see `Catalog.tables`."""
        database = f"{self._config.database_prefix}{namespace}"
        with _catalog_errors("The Glue catalog's tables cannot be listed"):
            try:
                return sorted(f"{namespace}.{name[-1]}" for name in self._open().list_tables(database))
            except NoSuchNamespaceError:
                return []

    def pin(self, tables: Sequence[str]) -> tuple[TablePin, ...]:
        """Return each table's current snapshot, in the order asked; see `Catalog.pin`."""
        if not tables:
            return ()
        catalog = self._open()
        return tuple(self._pin(catalog, name) for name in tables)

    def _pin(self, catalog: PyIcebergGlueCatalog, name: str) -> TablePin:
        with _catalog_errors(f"{name} cannot be looked up in the Glue catalog"):
            try:
                table = catalog.load_table(f"{self._config.database_prefix}{name}")
            except (NoSuchTableError, NoSuchNamespaceError, NoSuchIcebergTableError) as error:
                raise TableMissingError(table=name) from error
        snapshot = table.current_snapshot()
        if snapshot is None:
            raise TableMissingError("Nothing was ever committed to the table.", table=name)
        return TablePin(
            table=name,
            metadata_location=table.metadata_location,
            snapshot_id=snapshot.snapshot_id,
            rows=int(summary(table)["total-records"]),
        )

    def _open(self) -> PyIcebergGlueCatalog:
        properties = {
            "warehouse": self._config.warehouse,
            "s3.region": self._config.region,
            **({"s3.endpoint": self._config.s3_endpoint} if self._config.s3_endpoint else {}),
            **self._s3_credentials(),
        }
        return PyIcebergGlueCatalog(CATALOG_NAME, client=self._client, **properties)


@contextmanager
def _catalog_errors(doing: str) -> Iterator[None]:
    """Turn failures of Glue, and of reading metadata from S3, into the port's errors."""
    try:
        with aws_errors(doing, unavailable=CatalogUnavailableError):
            yield
    except FileNotFoundError as error:
        raise TableMissingError(f"{doing}: its metadata file is gone from S3.") from error
    except OSError as error:  # Arrow's own words for S3's answers.
        raise CatalogUnavailableError(f"{doing}: S3 did not give its metadata file.") from error
