"""Bring all of gold up to date once, as a run does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb
from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from etl.engine.catalog import catalog_errors, open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.session import duckdb_session
from etl.engine.tables import load_table, snapshot_relation
from etl.gold.compile import MODELS_FOLDER, load_models
from etl.gold.model import SILVER_SCHEMA
from etl.gold.refresh import Refresher
from etl.gold.results import ModelResult, complete
from etl.jobs.progress import Progress
from etl.ports.catalog import TableMissingError


def materialise(
    lake: LakeConfig,
    progress: Progress,
    *,
    as_of: datetime | None = None,
    models_folder: Path = MODELS_FOLDER,
) -> tuple[ModelResult, ...]:
    """Bring every gold model up to date with silver as it is now.

    Args:
        lake: The lake.
        progress: Told the models being computed, and how many are done.
        as_of: Source time at which silver stands; its latest commit time if None.
        models_folder: Where the model files are.

    Returns:
        One result for each model, in the order computed; all of them stand.

    Raises:
        ModelError: A model file is wrong; nothing was written.
        TableMissingError: Silver is empty; nothing was written.
        GoldIncompleteError: A model failed; what does not depend on it is up to date.
        CatalogUnavailableError: The catalog did not answer.
    """
    models = load_models(models_folder)
    with open_catalog(lake) as catalog, duckdb_session(lake) as connection:
        silver = silver_tables(catalog)
        as_of = as_of or latest_commit(connection, silver)
        refresher = Refresher(catalog, connection, models, threads=lake.threads)
        results = refresher.refresh(silver, as_of=as_of, progress=progress)
    return complete(results)


def silver_tables(catalog: Catalog) -> dict[str, Table]:
    """Return silver's tables at their current snapshots, by bare name.

    Raises:
        TableMissingError: There are none.
        CatalogUnavailableError: The catalog did not answer.
    """
    with catalog_errors():
        has_silver = (SILVER_SCHEMA,) in catalog.list_namespaces()
        names = [name for _, name in catalog.list_tables(SILVER_SCHEMA)] if has_silver else []
    if not names:
        raise TableMissingError("silver has no tables yet", table=SILVER_SCHEMA)
    return {name: load_table(catalog, f"{SILVER_SCHEMA}.{name}") for name in sorted(names)}


def latest_commit(connection: duckdb.DuckDBPyConnection, silver: Mapping[str, Table]) -> datetime:
    """Return the latest source commit time that silver holds.

    Raises:
        TableMissingError: It holds no row.
    """
    latest = " UNION ALL ".join(
        f"SELECT MAX(_committed_at) AS moment FROM ({snapshot_relation(table)})" for table in silver.values()
    )
    ((moment,),) = connection.execute(f"SELECT MAX(moment) FROM ({latest})").fetchall()
    if moment is None:
        raise TableMissingError("silver has no rows yet", table=SILVER_SCHEMA)
    assert isinstance(moment, datetime)
    return moment
