"""The seam where Spark and Trino stand in for what they are: computes the Glue job's transforms, and feeds Athena.

`Engine` is all that the rehearsal needs of a transform engine. `EmbeddedEngine` keeps the
promise with DuckDB: bronze is fetched from S3, the embedded jobs run over it, and what they
commit is committed again to the Glue catalog, on S3. An engine that runs Spark over S3
replaces it without a change elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from etl.bronze.directory import DirectoryStore
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.tables import load_table
from etl.jobs import bronze_to_silver, reconcile, silver_to_gold
from etl.jobs.bronze_to_silver import BronzeToSilver
from etl.jobs.document import build, dump
from etl.jobs.progress import Progress
from etl.jobs.reconcile import Reconcile
from etl.jobs.silver_to_gold import SilverToGold
from etl.ports.object_store import ObjectStore
from tests.aws.athena import DATABASE, FakeAthena


class Engine(Protocol):
    """Runs a transform as the Glue job would."""

    def run(self, name: str, arguments: Mapping[str, Any], bronze: ObjectStore) -> dict[str, Any]:
        """Return the job's result as `etl.jobs` documents it; gold is then in the Glue catalog."""


class EmbeddedEngine:
    """DuckDB in the place of Spark."""

    def __init__(self, lake: LakeConfig, glue: Catalog, *, database_prefix: str, warehouse: str) -> None:
        self._lake = lake
        self._glue = glue
        self._prefix = database_prefix
        self._warehouse = warehouse

    def run(self, name: str, arguments: Mapping[str, Any], bronze: ObjectStore) -> dict[str, Any]:
        self._fetch(bronze)
        asked = {**arguments, "lake": self._lake}
        results = {
            "bronze_to_silver": lambda: bronze_to_silver.run(build(BronzeToSilver, asked), Progress()),
            "reconcile": lambda: reconcile.run(build(Reconcile, asked), Progress()),
            "silver_to_gold": lambda: silver_to_gold.run(build(SilverToGold, asked), Progress()),
        }
        result: dict[str, Any] = json.loads(dump(results[name]()))
        if name == "silver_to_gold":
            self._commit_to_glue([model["table"] for model in result["models"]])
        return result

    def _fetch(self, bronze: ObjectStore) -> None:
        local = DirectoryStore(Path(self._lake.bronze_root))
        for info in bronze.list(""):
            local.put(info.key, bronze.get(info.key))

    def _commit_to_glue(self, names: list[str]) -> None:
        with open_catalog(self._lake) as local:
            for name in names:
                rows = load_table(local, name).scan().to_arrow()
                namespace, _, table = name.partition(".")
                qualified = f"{self._prefix}{namespace}.{table}"
                location = f"{self._warehouse}/{namespace}/{table}"
                try:
                    self._glue.load_table(qualified).overwrite(rows)
                except NoSuchTableError:
                    self._glue.create_table(qualified, rows.schema, location=location).append(rows)


def feed(athena: FakeAthena, glue: Catalog, database_prefix: str) -> None:
    """Let Athena see the gold tables of the Glue catalog, each at its current snapshot."""
    for name in glue.list_tables(f"{database_prefix}gold"):
        table = glue.load_table(name)
        snapshot = table.current_snapshot()
        assert snapshot is not None
        if (name[-1], snapshot.snapshot_id) not in athena.snapshots:
            rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow()
            athena.lake.register("incoming", rows)
            athena.add(name[-1], snapshot.snapshot_id, "SELECT * FROM incoming")
            athena.lake.unregister("incoming")
    assert DATABASE
