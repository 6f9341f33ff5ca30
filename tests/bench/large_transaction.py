"""How much memory the replicator takes for one transaction of 1 GB: half of it in narrow rows, half in wide ones.

The transaction is committed first; then a replicator in its own process lands it, whole, while
the server decodes it. Its peak resident memory is what Linux says of the process (VmHWM).
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg

from etl.bronze.directory import DirectoryStore
from etl.contracts.table import TableId
from etl.replicate.lsn import Lsn
from etl.replicate.replicator import begin, replicate
from etl.replicate.session import Hooks, ReplicatorConfig
from etl.replicate.status import Progress
from tests.bench import common

SLOT = "lakeside_bench"
TARGET_MEMORY_MIB = 512
_GIB = 1024**3
_NARROW_BYTES, _WIDE_BYTES = 128, 8192
_TABLES = """
    CREATE TABLE narrow (id bigint PRIMARY KEY, tenant_id bigint, at timestamptz, amount numeric(12,2), text text);
    CREATE TABLE wide (id bigint PRIMARY KEY, tenant_id bigint, document text);
    ALTER TABLE wide ALTER document SET STORAGE EXTERNAL
"""
_NARROW = """
    INSERT INTO narrow SELECT i, i % 8, '2026-01-01'::timestamptz + i * interval '1 second', i / 100.0,
           repeat(md5(i::text), 2) FROM generate_series(1, %s) i
"""
_WIDE = "INSERT INTO wide SELECT i, i %% 8, repeat(md5(i::text), 256) FROM generate_series(1, %s) i"


def _config(source_url: str, folder: Path) -> ReplicatorConfig:
    return ReplicatorConfig(
        source_url=source_url,
        tables=(TableId.parse("narrow"), TableId.parse("wide")),
        slot=SLOT,
        spool_folder=folder.parent,
    )


def write(source_url: str, folder: Path, size_bytes: int) -> tuple[Lsn, int, int]:
    """Commit the transaction; return the position behind it, its changes, and the bytes of log that it takes."""
    shutil.rmtree(folder, ignore_errors=True)
    with psycopg.connect(source_url, autocommit=True) as source:
        source.execute(_TABLES.encode())
        begin(_config(source_url, folder), DirectoryStore(folder))
        narrow, wide = size_bytes // 2 // _NARROW_BYTES, size_bytes // 2 // _WIDE_BYTES
        before = _end_of_log(source)
        with source.transaction():
            source.execute(_NARROW.replace("% 8", "%% 8").encode(), [narrow])
            source.execute(_WIDE.encode(), [wide])
        after = _end_of_log(source)
        source.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
    return after, narrow + wide, after - before


def _end_of_log(source: psycopg.Connection) -> Lsn:
    row = source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    return Lsn.parse(row[0])


def land(folder: Path, until: Lsn) -> None:
    """Follow the source on standard input up to a position; say what came and what it took, as JSON."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    changes = 0

    def on_progress(progress: Progress) -> None:
        nonlocal changes
        changes = progress.changes
        if progress.durable_lsn >= until:
            stop.set()

    config = _config(sys.stdin.read(), folder)
    replicate(config, DirectoryStore(folder), stop=stop, hooks=Hooks(on_progress=on_progress))
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(json.dumps({"changes": changes, "peak_mib": int(peak.split()[1]) / 1024}))


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--bytes", type=int, default=_GIB, help="of the rows' text (default: 1 GiB)")
    options.add_argument("--land", type=Path, help="internal: where to land what standard input names")
    options.add_argument("--until", type=Lsn.parse, help="internal: up to where")
    chosen = options.parse_args()
    if chosen.land:
        land(chosen.land, chosen.until)
        return
    with common.scratch_server() as server:
        folder = server.home / "lake" / "bronze"
        until, changes, log_bytes = write(server.owner_url, folder, chosen.bytes)
        started = time.perf_counter()
        command = [sys.executable, "-m", "tests.bench.large_transaction", "--land", str(folder), "--until", str(until)]
        answer = subprocess.run(
            command, input=server.owner_url.encode(), stdout=subprocess.PIPE, cwd=common.PROJECT, check=True
        )
        seconds = time.perf_counter() - started
    landed = json.loads(answer.stdout)
    if landed["changes"] != changes:
        raise SystemExit(f"{landed['changes']:,} changes were landed of {changes:,}.")
    result = common.Result(
        name="large_transaction",
        title="One large transaction",
        cases=(common.Case(name="land", label="commit to durable bronze", seconds=(seconds,), rows=changes),),
        ratios=(
            common.Ratio(
                label="MiB of memory at its peak", value=landed["peak_mib"], bound="at most", target=TARGET_MEMORY_MIB
            ),
        ),
        parameters={"bytes": chosen.bytes, "bytes_of_log": log_bytes, "changes": changes},
        notes=("Starting the replicator's process is part of the time.",),
    )
    common.report(result, chosen)


if __name__ == "__main__":
    main()
