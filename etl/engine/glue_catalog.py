"""The lake's tables in the AWS Glue Data Catalog, for pyiceberg and for Spark.

The databases of all lakes of an account share one namespace there, so each of ours begins
with the lake's prefix. pyiceberg gets it here and Spark in `SparkLake.name`: the jobs say
``silver.orders``.
"""

from __future__ import annotations

from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchNamespaceError
from pyiceberg.typedef import Identifier

from etl.engine.catalog import CATALOG_NAME


class PrefixedGlueCatalog(GlueCatalog):
    """A `GlueCatalog` whose namespaces are databases with a prefix; it shows no others."""

    def __init__(self, warehouse: str, *, prefix: str) -> None:
        """Open the catalog of the region and role that the job runs in."""
        super().__init__(CATALOG_NAME, warehouse=warehouse)
        self._prefix = prefix

    def identifier_to_database(  # type: ignore[override]  # pyiceberg has no other place to change a name
        self, identifier: str | Identifier, err: type[ValueError | NoSuchNamespaceError] = ValueError
    ) -> str:
        """Return the database of a namespace."""
        return self._with_prefix(GlueCatalog.identifier_to_database(identifier, err))

    def identifier_to_database_and_table(  # type: ignore[override]
        self, identifier: str | Identifier, err: type[ValueError] = ValueError
    ) -> tuple[str, str]:
        """Return the database and the name of a table."""
        database, table = GlueCatalog.identifier_to_database_and_table(identifier, err)
        return self._with_prefix(database), table

    def list_namespaces(self, namespace: str | Identifier = ()) -> list[Identifier]:
        """Return the lake's namespaces."""
        found = [name for (name,) in super().list_namespaces(namespace)]
        return [(name.removeprefix(self._prefix),) for name in found if name.startswith(self._prefix)]

    def _with_prefix(self, database: str) -> str:
        """Return a database's name; a loaded table calls itself by the one that has the prefix already."""
        return database if database.startswith(self._prefix) else f"{self._prefix}{database}"


def glue_settings(warehouse: str) -> dict[str, str]:
    """Return Spark's settings for the same catalog."""
    catalog = f"spark.sql.catalog.{CATALOG_NAME}"
    return {
        f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.warehouse": warehouse,
    }
