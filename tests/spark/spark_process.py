"""A Spark of the tests' own, in a process of its own: `tests.spark.worker`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etl.engine.lake import LakeConfig
from tests.bench.common import PROJECT

PYTHON = PROJECT / ".venv-spark/bin/python"
JARS = PROJECT / ".venv-spark/jars"


class SparkJobFailedError(Exception):
    """A job on Spark raised an error."""


class SparkProcess:
    """Jobs on one lake."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version: str = self._read()["ready"]

    def run(self, job: str, **arguments: object) -> Mapping[str, Any]:
        """Run a job; return its result as a document."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        if "error" in answer:
            raise SparkJobFailedError(f"{answer['error']}: {answer['message']}")
        result: Mapping[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SparkJobFailedError(f"Spark's process ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def spark_process(lake: LakeConfig, *, log: Path) -> Iterator[SparkProcess]:
    """Start Spark on a lake; end it with the block.

    Args:
        lake: Its catalog is in PostgreSQL.
        log: Where Spark's own words go.
    """
    jars: Sequence[str] = [str(jar) for jar in sorted(JARS.glob("*.jar"))]
    with log.open("a") as errors:
        process = subprocess.Popen(
            ["env", "TZ=UTC", PYTHON, "-m", "tests.spark.worker"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"lake": asdict(lake), "jars": jars}) + "\n")
            process.stdin.flush()
            yield SparkProcess(process)
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=60)
