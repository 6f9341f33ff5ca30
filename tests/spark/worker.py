"""Runs jobs on Spark in the environment that has Spark; reads what to do, one JSON document a line.

Started by `tests.spark` with ``.venv-spark``'s Python: the two environments share this
repository's code and nothing else. Answers each line with one line.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from pathlib import Path

from etl.bronze.directory import DirectoryStore
from etl.engine.catalog import open_catalog
from etl.engine.lake import LakeConfig
from etl.engine.spark import SparkLake, jdbc_catalog, spark_session
from etl.jobs.document import dump
from etl.jobs.glue import run_on
from etl.jobs.progress import Progress


def main() -> int:
    """Answer until the input ends."""
    first = json.loads(sys.stdin.readline())
    lake = LakeConfig(**first["lake"])
    with tempfile.TemporaryDirectory() as scratch, open_catalog(lake) as catalog:
        session = spark_session(
            {
                "spark.master": "local[2]",
                "spark.pyspark.python": sys.executable,
                "spark.jars": ",".join(first["jars"]),
                "spark.driver.extraClassPath": ":".join(first["jars"]),
                "spark.driver.memory": "2g",
                "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1",
                "spark.local.dir": scratch,
                "spark.sql.shuffle.partitions": "4",
                "spark.sql.warehouse.dir": scratch,
                "spark.ui.enabled": "false",
                **jdbc_catalog(lake),
            }
        )
        session.sparkContext.setLogLevel("ERROR")
        opened = SparkLake(session=session, catalog=catalog)
        store = DirectoryStore(Path(lake.bronze_root))
        _answer({"ready": session.version})
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                result = run_on(opened, asked["job"], asked["arguments"], store, Progress())
            except Exception as error:  # noqa: BLE001 - the border of the process
                traceback.print_exc()
                _answer({"error": type(error).__name__, "message": str(error)})
            else:
                _answer({"result": json.loads(dump(result))})
        session.stop()
    return 0


def _answer(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
