"""`manage.py seed_data` beside COPY of its own ready-made text, and beside the factories' `create_batch`.

The yardstick is what PostgreSQL needs for a plain COPY of the same text into the same tables, with
their indexes, constraints and references, in one transaction. `seed_data` also starts a process,
generates, renders, empties full tables first and runs ANALYZE; it may be faster all the same, because
it has the references checked table by table instead of row by row.
"""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from config import env
from tests.bench import common

if TYPE_CHECKING:
    from saas.seeding.plan import Plan
    from saas.seeding.scale import Table

SEED, FLOOR, ALONE, FACTORIES = "seed_data", "copy", "generation", "create_batch"
_AS_OF = dt.date(2026, 11, 20)
_BLOCK_BYTES = 1 << 20
_FASTER = 40
_OVER_FLOOR = 1.6
_NOTES = tuple(
    """\
All load into the same migrated tables, with all their indexes and constraints.
seed_data's time includes starting Python, emptying full tables, generation, ANALYZE and the commit.
seed_data adds the foreign keys again after loading, in its transaction: they are checked by joins, not row by row.
create_batch would take minutes: each factory makes a sample, with given parents, in a transaction that is rolled back.
Its seconds a row of each table, times the table's rows, are added up; the eight tenants are left out.
""".splitlines()
)


@dataclass(slots=True)
class Factories:
    """Measures `create_batch` on a sample of each table's rows, and counts on from there."""

    rows: Mapping[Table, int]
    sample: int
    milliseconds: dict[Table, list[float]] = field(default_factory=dict)
    """Per row, one entry a round."""

    def measure(self) -> float:
        """Return the seconds that all rows would take; the sample's rows are rolled back."""
        from django.db import transaction

        from saas import factories, models
        from saas.seeding.scale import Table
        from saas.tenancy.scope import tenant_scope

        def batch(factory: type, **parents: object) -> Callable[[], object]:
            return lambda: factory.create_batch(self.sample, **parents)  # type: ignore[attr-defined]

        with tenant_scope(1):
            customer, product = models.Customer.objects.earliest("id"), models.Product.objects.earliest("id")
            order = models.Order.objects.earliest("id")
            batches = {
                Table.CUSTOMERS: batch(factories.CustomerFactory),
                Table.PRODUCTS: batch(factories.ProductFactory),
                Table.ORDERS: batch(factories.OrderFactory, customer=customer),
                Table.ORDER_ITEMS: batch(factories.OrderItemFactory, order=order, product=product),
                Table.EVENTS: batch(factories.EventFactory, customer=customer),
                Table.SUBSCRIPTIONS: batch(factories.SubscriptionFactory, customer=customer),
                Table.INVOICES: batch(factories.InvoiceFactory, customer=customer),
            }
            total = 0.0
            for table, make in batches.items():
                per_row = common.timed(make) / self.sample
                self.milliseconds.setdefault(table, []).append(1_000 * per_row)
                total += per_row * self.rows[table]
            transaction.set_rollback(True)
        return total


def main() -> None:
    """Measure and report."""
    parser = common.parser(__doc__)
    parser.add_argument("--sample", type=int, default=200, help="rows made by each factory in a round (default: 200)")
    parser.set_defaults(rounds=3)
    options = parser.parse_args()
    with common.scratch_server() as server:
        urls = server.open_product()
        from saas.seeding.plan import Plan
        from saas.seeding.scale import parse_scale

        plan = Plan(scale=parse_scale(options.scale), seed=options.seed, as_of=_AS_OF)
        factories = Factories(rows=plan.scale.rows, sample=options.sample)
        texts = _ready_made(plan)
        seconds = common.interleave(
            {
                SEED: lambda: _seed(plan),
                FLOOR: lambda: _copy(urls["DATABASE_URL"], texts),
                ALONE: lambda: _generate(plan),
                FACTORIES: factories.measure,
            },
            rounds=options.rounds,
        )
    common.report(_result(plan, texts, seconds, factories), options)


def _seed(plan: Plan) -> float:
    """Run the command as a person would, on tables that are full."""
    command = [sys.executable, "manage.py", "seed_data", "--reset", "--scale", plan.scale.name]
    command += ["--seed", str(plan.seed), "--as-of", plan.as_of.isoformat()]
    return common.timed(lambda: subprocess.run(command, cwd=env.PROJECT, check=True, stdout=subprocess.DEVNULL))


def _ready_made(plan: Plan) -> dict[Table, tuple[tuple[str, ...], bytes]]:
    """Return each table's columns and the whole text that `seed_data` copies into it."""
    from saas.seeding.copy_text import encode
    from saas.seeding.plan import generate
    from saas.seeding.scale import Table

    texts = {table: io.BytesIO() for table in Table}
    columns: dict[Table, tuple[str, ...]] = {}
    for chunk in generate(plan):
        columns[chunk.table] = tuple(chunk.batch.schema.names)
        texts[chunk.table].write(encode(chunk.batch))
    return {table: (columns[table], texts[table].getvalue()) for table in Table}


def _copy(url: str, texts: Mapping[Table, tuple[tuple[str, ...], bytes]]) -> float:
    """Copy the text into emptied tables, from the first COPY to the commit."""
    with psycopg.connect(url) as connection:
        connection.execute("SET timezone = 'UTC'")
        names = sql.SQL(", ").join(map(sql.Identifier, [*texts, "memberships"]))
        connection.execute(sql.SQL("TRUNCATE {}").format(names))
        connection.commit()
        start = time.perf_counter()
        for table, (columns, text) in texts.items():
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
            )
            view = memoryview(text)
            with connection.cursor() as cursor, cursor.copy(statement) as copy:
                for at in range(0, len(text), _BLOCK_BYTES):
                    copy.write(view[at : at + _BLOCK_BYTES])
        connection.commit()
        return time.perf_counter() - start


def _generate(plan: Plan) -> float:
    from saas.seeding.load import pour
    from saas.seeding.manifest import Ledger
    from saas.seeding.sink import NullSink

    return common.timed(lambda: pour(plan, NullSink(), Ledger(plan)))


def _result(
    plan: Plan,
    texts: Mapping[Table, tuple[tuple[str, ...], bytes]],
    seconds: Mapping[str, tuple[float, ...]],
    factories: Factories,
) -> common.Result:
    rows = sum(plan.scale.rows.values())
    labels = {
        SEED: "seed_data --reset, the whole process",
        FLOOR: "COPY of the same ready-made text",
        ALONE: "generation and rendering alone",
        FACTORIES: f"create_batch, extrapolated from {factories.sample} rows a factory",
    }
    cases = {
        name: common.Case(name=name, label=label, seconds=seconds[name], rows=rows) for name, label in labels.items()
    }
    medians = {name: case.median_seconds for name, case in cases.items()}
    costs = ", ".join(f"{table} {min(each):.2f}" for table, each in factories.milliseconds.items())
    return common.Result(
        name="seeding",
        title="Seeding",
        cases=tuple(cases.values()),
        ratios=(
            common.Ratio(
                label="seed_data / COPY", value=medians[SEED] / medians[FLOOR], bound="at most", target=_OVER_FLOOR
            ),
            common.Ratio(
                label="create_batch / seed_data",
                value=medians[FACTORIES] / medians[SEED],
                bound="at least",
                target=_FASTER,
            ),
        ),
        parameters={
            "scale": plan.scale.name,
            "rows": rows,
            "bytes": sum(len(text) for _, text in texts.values()),
            "sample": factories.sample,
        },
        notes=(*_NOTES, f"Milliseconds a row of create_batch, fastest round: {costs}."),
    )


if __name__ == "__main__":
    main()
