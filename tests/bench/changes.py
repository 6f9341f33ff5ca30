"""From PostgreSQL's log to durable bronze: how fast changes land, and how much memory one huge transaction takes.

The source and the replicator share the machine, as they do in an installation of one's own. The
backlog is written first; then a replicator in its own process lands it while the server
decodes it. Timed from the replicator's start to the manifest of the last change.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
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
TARGET_CHANGES_PER_SECOND = 80_000
TARGET_MEMORY_MIB = 512
_EVENTS = """
    CREATE TABLE events (
        id bigint GENERATED ALWAYS AS IDENTITY, tenant_id bigint, customer_id bigint, session_id uuid,
        event_type varchar(30), product_id bigint, order_id bigint, properties jsonb, created_at timestamptz,
        PRIMARY KEY (tenant_id, id)
    )
"""
_INSERT = """
    INSERT INTO events (tenant_id, customer_id, session_id, event_type, product_id, properties, created_at)
    SELECT i % 8, i, gen_random_uuid(), 'page_view', nullif(i % 3, 0),
           jsonb_build_object('path', '/products/' || i, 'referrer', 'search, "ads"'), clock_timestamp()
      FROM generate_series(1, {rows}) i
"""
_PROCEDURE = f"""
    CREATE PROCEDURE write_many(transactions int, rows int) LANGUAGE plpgsql AS $$
    BEGIN
        FOR number IN 1..transactions LOOP
            {_INSERT.format(rows="rows")};
            COMMIT;
        END LOOP;
    END $$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A source, and the folder that bronze is in."""

    source_url: str
    folder: Path
    changes: int
    peaks_mib: list[float]

    @property
    def config(self) -> ReplicatorConfig:
        """What is replicated."""
        return ReplicatorConfig(
            source_url=self.source_url,
            tables=(TableId.parse("events"),),
            slot=SLOT,
            spool_folder=self.folder.parent,
        )

    def land(self, *, rows_per_transaction: int) -> float:
        """Write a backlog, land it, and return the seconds that the landing took."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with psycopg.connect(self.source_url, autocommit=True) as source:
            source.execute("TRUNCATE events")
            source.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
            begin(self.config, DirectoryStore(self.folder))
            transactions = self.changes // rows_per_transaction
            source.execute("CALL write_many(%s, %s)", [transactions, rows_per_transaction])
            end = source.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
            assert end is not None
            source.execute("SELECT pg_logical_emit_message(false, 'bench', '')")
        start = time.perf_counter()
        command = [sys.executable, "-m", "tests.bench.changes", "--land", str(self.folder), "--until", end[0]]
        answer = subprocess.run(
            command, input=self.source_url.encode(), stdout=subprocess.PIPE, cwd=common.PROJECT, check=True
        )
        seconds = time.perf_counter() - start
        result = json.loads(answer.stdout)
        if result["changes"] != transactions * rows_per_transaction:
            raise SystemExit(f"{result['changes']} changes were landed of {self.changes}.")
        self.peaks_mib.append(result["peak_mib"])
        return seconds


def land(folder: Path, until: Lsn) -> None:
    """Follow the source on standard input up to an LSN; say what came, as JSON."""
    bench = Bench(source_url=sys.stdin.read(), folder=folder, changes=0, peaks_mib=[])
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    landed = 0

    def on_progress(progress: Progress) -> None:
        nonlocal landed
        landed = progress.changes
        if progress.durable_lsn >= until:
            stop.set()

    replicate(bench.config, DirectoryStore(folder), stop=stop, hooks=Hooks(on_progress=on_progress))
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(json.dumps({"changes": landed, "peak_mib": int(peak.split()[1]) / 1024}))


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--changes", type=int, default=1_000_000, help="how many a round lands (default: 1,000,000)")
    options.add_argument(
        "--rows-in-huge", type=int, default=4_000_000, help="of the one transaction (default: 4,000,000)"
    )
    options.add_argument("--land", type=Path, help="internal: where to land what standard input names")
    options.add_argument("--until", type=Lsn.parse, help="internal: up to where")
    chosen = options.parse_args()
    if chosen.land:
        land(chosen.land, chosen.until)
        return
    with common.scratch_server() as server, psycopg.connect(server.owner_url, autocommit=True) as source:
        source.execute(_EVENTS)
        source.execute(_PROCEDURE.encode())
        folder = server.home / "lake" / "bronze"
        bench = Bench(source_url=server.owner_url, folder=folder, changes=chosen.changes, peaks_mib=[])
        huge = Bench(source_url=server.owner_url, folder=folder, changes=chosen.rows_in_huge, peaks_mib=[])
        seconds = common.interleave(
            {
                "hundreds": partial(bench.land, rows_per_transaction=100),
                "tens": partial(bench.land, rows_per_transaction=10),
            },
            rounds=chosen.rounds,
        )
        seconds |= common.interleave({"huge": partial(huge.land, rows_per_transaction=huge.changes)}, rounds=1)
    labels = {
        "hundreds": "transactions of 100 changes",
        "tens": "transactions of 10 changes",
        "huge": f"one transaction of {huge.changes:,} changes",
    }
    rows = {"hundreds": bench.changes, "tens": bench.changes, "huge": huge.changes}
    cases = tuple(
        common.Case(name=name, label=labels[name], seconds=values, rows=rows[name]) for name, values in seconds.items()
    )
    result = common.Result(
        name="changes",
        title="Changes to durable bronze",
        cases=cases,
        ratios=(
            *(
                common.Ratio(
                    label=f"Changes per second, {case.label}",
                    value=case.rows_per_second or 0.0,
                    bound="at least",
                    target=TARGET_CHANGES_PER_SECOND,
                )
                for case in cases[:1]
            ),
            common.Ratio(
                label="MiB of memory at the one transaction",
                value=max(huge.peaks_mib),
                bound="at most",
                target=TARGET_MEMORY_MIB,
            ),
        ),
        parameters={"changes": bench.changes, "rows_in_huge": huge.changes, "rounds": chosen.rounds},
        notes=("Starting the replicator's process is part of every time.",),
    )
    common.report(result, chosen)


if __name__ == "__main__":
    main()
