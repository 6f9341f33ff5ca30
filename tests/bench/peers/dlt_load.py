"""Load tables of a PostgreSQL database with dlt; run by a benchmark in `.venv-bench`.

Reads one JSON document from standard input (a connection URL does not belong on a command line):
``url``, ``tables``, ``backend`` (``connectorx``, ``pyarrow`` or ``sqlalchemy``), ``destination``
(``duckdb``, ``parquet`` or ``iceberg``) and ``folder``, where everything is written. Tables are extracted in
parallel, which is dlt's faster setting.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import dlt
from dlt.sources.sql_database import sql_database


def main() -> None:
    """Load as asked; exit non-zero if anything fails."""
    order = json.load(sys.stdin)
    folder = Path(order["folder"])
    if order["destination"] == "duckdb":
        destination = dlt.destinations.duckdb(str(folder / "peer.duckdb"))
    else:
        destination = dlt.destinations.filesystem(bucket_url=folder.as_uri())
    options = {"backend_kwargs": {"return_type": "arrow"}} if order["backend"] == "connectorx" else {}
    source = sql_database(
        order["url"].replace("postgresql://", "postgresql+psycopg://", 1),
        schema="public",
        table_names=order["tables"],
        backend=order["backend"],
        **options,
    )
    pipeline = dlt.pipeline(
        pipeline_name="peer", destination=destination, dataset_name="silver", pipelines_dir=str(folder / "state")
    )
    pipeline.run(
        source.parallelize(),
        loader_file_format="parquet",
        write_disposition="replace",
        table_format="iceberg" if order["destination"] == "iceberg" else None,
    ).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
