"""From bronze to silver by changes: what a window costs in a table, and in one ten times as large.

Both tables have the shape of order lines of eight tenants. Each round lands a window that updates,
inserts and deletes rows all over the table, untimed, then applies it with the table open, as a process
that follows the source does. Beside it: the CPU of a small window over six tables, which comes every second.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from etl.bronze.directory import DirectoryStore
from etl.bronze.window import ChangeLog
from etl.contracts.table import TableContract
from etl.engine.catalog import open_catalog
from etl.engine.session import duckdb_session
from etl.silver.applier import ChangeApplier, Outcome
from etl.silver.apply import apply_load
from etl.silver.load import loaded_table
from tests.bench import common
from tests.change_files import SLOT, Bronze, Change
from tests.contracts import contract
from tests.lakes import lake_in

TENANTS = 8
TABLES_OF_A_SECOND = 6
CHANGES_OF_A_SECOND = 1_000
TARGET_RATIO = 1.5
TARGET_CPU_SECONDS = 0.5


@dataclass(slots=True)
class Side:
    """Some tables of one size in a lake of their own, and the process that follows them."""

    bronze: Bronze
    applier: ChangeApplier
    log: ChangeLog
    names: list[str]
    rows: int
    chance: random.Random
    cpu_seconds: list[float]

    def window(self, changes: int) -> float:
        """Land some changes and return the seconds that silver takes for them."""
        self.bronze.flush([list(self._changes(changes // len(self.names), name)) for name in self.names])
        window = self.log.read()
        started, cpu = time.perf_counter(), time.process_time()
        outcomes = self.applier.apply(window)
        seconds = time.perf_counter() - started
        self.cpu_seconds.append(time.process_time() - cpu)
        if any(each.outcome is not Outcome.APPLIED for each in outcomes):
            raise SystemExit(f"A window was not applied: {outcomes}")
        return seconds

    def _changes(self, count: int, name: str) -> Iterator[Change]:
        table = _lines(name)
        for number in self.chance.sample(range(self.rows), count):
            op = self.chance.choices("UID", (7, 2, 1))[0]
            if op == "I":
                yield Change(contract=table, op="I", values=_values(self.rows + number + self.bronze.lsn * self.rows))
            else:
                values = _values(number)
                yield Change(contract=table, op=op, values=values if op == "U" else dict(list(values.items())[:2]))


def _lines(name: str) -> TableContract:
    return contract(
        name,
        ("tenant_id", "bigint"),
        ("id", "bigint"),
        ("order_id", "bigint"),
        ("sku", "text"),
        ("quantity", "integer"),
        ("price", "decimal(12,2)"),
        key=("tenant_id", "id"),
    )


def _values(number: int) -> dict[str, str | None]:
    return {
        "tenant_id": str(number % TENANTS + 1),
        "id": str(number),
        "order_id": str(number // 3),
        "sku": f"SKU-{number * 7919 % 10007}",
        "quantity": str(number % 9 + 1),
        "price": f"{number % 500}.{number % 100:02d}",
    }


def open_side(stack: ExitStack, server: common.Server, name: str, *, rows: int, tables: int) -> Side:
    """Load the tables into a lake of their own and open them."""
    lake = lake_in(server.home / name, server.create_database(name), memory_limit_bytes=1024**3)
    store = DirectoryStore(Path(lake.bronze_root))
    names = [f"lines{number}" for number in range(tables)]
    catalog, connection = stack.enter_context(open_catalog(lake)), stack.enter_context(duckdb_session(lake))
    bronze = Bronze(store)
    load = bronze.load({_lines(each): [_values(number) for number in range(rows)] for each in names})
    bronze.flushed_lsn = bronze.lsn
    for table in load.tables:
        apply_load(catalog, connection, loaded_table(store, load, table))
    applier = stack.enter_context(ChangeApplier(catalog, connection, store, slot=SLOT, tables=load.tables))
    log = ChangeLog(store, slot=SLOT, after_lsn=applier.start())
    return Side(
        bronze=bronze,
        applier=applier,
        log=log,
        names=names,
        rows=rows,
        chance=random.Random(name),
        cpu_seconds=[],
    )


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--rows", type=int, default=50_000, help="of the smaller table (default: 50,000)")
    options.add_argument("--changes", type=int, default=10_000, help="in a window (default: 10,000)")
    chosen = options.parse_args()
    with common.scratch_server() as server, ExitStack() as stack:
        once = open_side(stack, server, "once", rows=chosen.rows, tables=1)
        ten_times = open_side(stack, server, "ten_times", rows=10 * chosen.rows, tables=1)
        second = open_side(stack, server, "second", rows=chosen.rows, tables=TABLES_OF_A_SECOND)
        for side in (once, ten_times):
            side.window(chosen.changes)  # What the first window meets for the first time is not what each costs.
        second.window(CHANGES_OF_A_SECOND)
        second.cpu_seconds.clear()
        seconds = common.interleave(
            {
                "once": lambda: once.window(chosen.changes),
                "ten_times": lambda: ten_times.window(chosen.changes),
                "second": lambda: second.window(CHANGES_OF_A_SECOND),
            },
            rounds=chosen.rounds,
        )
    labels = {
        "once": f"{chosen.changes:,} changes of {chosen.rows:,} rows",
        "ten_times": f"{chosen.changes:,} changes of {10 * chosen.rows:,} rows",
        "second": f"{CHANGES_OF_A_SECOND:,} changes of {TABLES_OF_A_SECOND} tables",
    }
    handled = {"once": chosen.changes, "ten_times": chosen.changes, "second": CHANGES_OF_A_SECOND}
    cases = {
        name: common.Case(name=name, label=labels[name], seconds=values, rows=handled[name])
        for name, values in seconds.items()
    }
    cpu = sorted(second.cpu_seconds)[len(second.cpu_seconds) // 2]
    result = common.Result(
        name="incremental",
        title="Changes to silver",
        cases=tuple(cases.values()),
        ratios=(
            common.Ratio(
                label="A window in ten times the data / in the data",
                value=cases["ten_times"].median_seconds / cases["once"].median_seconds,
                bound="at most",
                target=TARGET_RATIO,
            ),
            common.Ratio(
                label=f"CPU seconds, {labels['second']} of {TENANTS} tenants",
                value=cpu,
                bound="at most",
                target=TARGET_CPU_SECONDS,
            ),
        ),
        parameters={"rows": chosen.rows, "changes": chosen.changes, "rounds": chosen.rounds},
        notes=("The tables are open and their files few, as after the window before.",),
    )
    common.report(result, chosen)


if __name__ == "__main__":
    main()
