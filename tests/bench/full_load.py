"""The full load from PostgreSQL to bronze, beside a bare COPY through gzip and dlt writing Parquet.

Lakeside's case is the job as the control plane starts it: a process of its own, one exported
snapshot over all tables, files with op, commit time and change sequence, manifests with
checksums. The bare cases are the floor: `COPY ... TO STDOUT` of the same tables, one after
another, by one psql into one gzip. dlt runs in its own environment with its fastest backend.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.core.management import call_command

from config.env import SOURCE_TABLES
from lakehouse_admin.adapters.embedded.warm_start import WarmStart
from tests.bench import common
from tests.bench.peers import launch

LABELS = {
    "lakeside": "Lakeside",
    "lakeside_fingerprints": "Lakeside, fingerprinting the source for reconciliation too",
    "copy_gzip": "psql COPY TO STDOUT | gzip -1",
    "copy_igzip": "psql COPY TO STDOUT | igzip -1",
    "dlt_connectorx": "dlt (connectorx) to Parquet",
}
_NOTES = (
    "Every case is timed from the start of its first process to the end of its last.",
    "Lakeside's process is forked from one that has imported the engines, as its control plane does it.",
    "The bare cases write one file, without snapshot, change sequence, manifest or checksum.",
    "igzip is python-isal's command, the library that Lakeside compresses with.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A seeded source, and a folder that every case empties before it starts."""

    server: common.Server
    source_url: str
    """Of the role that replicates."""
    folder: Path
    rows: int
    warm: WarmStart

    def lakeside(self, *, with_source_fingerprints: bool) -> float:
        """Run the full-load job, forked as the control plane forks it; return the wall seconds of its process.

        Raises:
            SystemExit: It failed, or landed another number of rows than was seeded.
        """
        self._empty()
        document = {
            "arguments": {
                "lake_uri": str(self.folder / "lake"),
                "tables": SOURCE_TABLES,
                "request_id": uuid.uuid4().hex,
                "with_source_fingerprints": with_source_fingerprints,
            },
            "secrets": {"source_url": self.source_url},
            "result_path": str(self.folder / "result.json"),
            "progress_path": str(self.folder / "progress.json"),
        }
        start = time.perf_counter()
        job = self.warm.fork("full_load", self.folder)
        assert job is not None, "the warm process ended"
        ended = os.pidfd_open(
            job.pid
        )  # Becomes readable at once; waiting for another's child by polling would add to it.
        job.give(json.dumps(document))
        select.select([ended], [], [])
        seconds = time.perf_counter() - start
        os.close(ended)
        result = json.loads((self.folder / "result.json").read_text())
        if result["state"] != "succeeded" or sum(table["rows"] for table in result["result"]["tables"]) != self.rows:
            raise SystemExit(f"Lakeside's own load failed: {result}")
        return seconds

    def bare(self, compressor: list[str]) -> float:
        """Copy every table through a compressor into one file; return the wall seconds of both processes.

        Raises:
            SystemExit: One of them failed.
        """
        self._empty()
        copies = [part for table in SOURCE_TABLES for part in ("-c", f"COPY {table} TO STDOUT")]
        command = [str(self.server.bin / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *copies]
        start = time.perf_counter()
        with (self.folder / "tables.gz").open("wb") as target:
            copy = subprocess.Popen([*command, self.server.owner_url], stdout=subprocess.PIPE)
            compress = subprocess.Popen(compressor, stdin=copy.stdout, stdout=target)
            assert copy.stdout is not None
            copy.stdout.close()
            failed = compress.wait() or copy.wait()
        seconds = time.perf_counter() - start
        if failed:
            raise SystemExit("The bare copy failed.")
        return seconds

    def dlt(self) -> float:
        """Let dlt copy the tables to Parquet; return the wall seconds of its process."""
        self._empty()
        return launch.dlt_load(
            self.server.owner_url, SOURCE_TABLES, backend="connectorx", destination="parquet", folder=self.folder
        )

    def _empty(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()


def seeded_rows(server: common.Server) -> int:
    """Return how many rows the source tables hold together."""
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in SOURCE_TABLES)
    command = [str(server.bin / "psql"), "-X", "-q", "-t", "-A", "-c", f"SELECT {counts}", server.owner_url]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def ratios(seconds: Mapping[str, tuple[float, ...]]) -> tuple[common.Ratio, ...]:
    """Compare the medians."""
    median = {name: common.Case(name=name, label="", seconds=values).median_seconds for name, values in seconds.items()}
    ours = median["lakeside"]
    found = [
        common.Ratio(
            label="Lakeside / bare COPY | gzip -1", value=ours / median["copy_gzip"], bound="at most", target=2.0
        ),
        common.Ratio(
            label="Lakeside / bare COPY | igzip -1", value=ours / median["copy_igzip"], bound="at most", target=2.0
        ),
    ]
    if "dlt_connectorx" in median:
        found.append(
            common.Ratio(
                label="dlt (connectorx) / Lakeside", value=median["dlt_connectorx"] / ours, bound="at least", target=3.0
            )
        )
    return tuple(found)


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--without-peers", action="store_true", help="leave dlt out, which takes most of the time")
    chosen = options.parse_args()
    if not chosen.without_peers:
        launch.require()
    with common.scratch_server() as server:
        urls = server.open_product()
        call_command("seed_data", scale=chosen.scale, seed=str(chosen.seed), stdout=sys.stderr)
        bench = Bench(
            server=server,
            source_url=urls["LAKEHOUSE_SOURCE_URL"],
            folder=server.home / "full_load",
            rows=seeded_rows(server),
            warm=WarmStart({"LANG": "C.UTF-8", "TZ": "UTC"}),
        )
        bench.warm.wait_until_ready()
        cases = {
            "lakeside": partial(bench.lakeside, with_source_fingerprints=False),
            "lakeside_fingerprints": partial(bench.lakeside, with_source_fingerprints=True),
            "copy_gzip": partial(bench.bare, ["gzip", "-1"]),
            "copy_igzip": partial(bench.bare, [sys.executable, "-m", "isal.igzip", "-1", "-c"]),
        }
        if not chosen.without_peers:
            cases["dlt_connectorx"] = bench.dlt
        seconds = common.interleave(cases, rounds=chosen.rounds)
    result = common.Result(
        name="full_load",
        title="Full load to bronze",
        cases=tuple(
            common.Case(name=name, label=LABELS[name], seconds=values, rows=bench.rows)
            for name, values in seconds.items()
        ),
        ratios=ratios(seconds),
        parameters={"scale": chosen.scale, "rows": bench.rows, "rounds": chosen.rounds},
        notes=_NOTES,
    )
    common.report(result, chosen)


if __name__ == "__main__":
    main()
