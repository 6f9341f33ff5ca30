"""Compare every row that a peer copied with the source; run by a benchmark in `.venv-bench`.

Reads one JSON document from standard input: ``url`` of the source, ``database`` (a DuckDB file) and ``tables``, each
with two queries for the same numbers: ``source_sql`` for PostgreSQL, ``peer_sql`` for DuckDB. Prints the tables
whose numbers differ, as a JSON list. Both sides of a table, and two tables, are asked at the same time.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import duckdb
import psycopg

_SESSIONS = 2


def main() -> None:
    """Compare as asked."""
    order = json.load(sys.stdin)
    with duckdb.connect(order["database"], read_only=True) as database, ThreadPoolExecutor(2 * _SESSIONS) as pool:
        database.execute("SET TimeZone = 'UTC'")

        def source(table: dict[str, str]) -> tuple[int, ...]:
            with psycopg.connect(order["url"], options="-c timezone=UTC -c extra_float_digits=1") as connection:
                row = connection.execute(table["source_sql"].encode()).fetchone()
            assert row is not None
            return tuple(map(int, row))

        def peer(table: dict[str, str]) -> tuple[int, ...]:
            with database.cursor() as cursor:
                row = cursor.execute(table["peer_sql"]).fetchone()
            assert row is not None
            return tuple(map(int, row))

        sides = [(table["table"], pool.submit(source, table), pool.submit(peer, table)) for table in order["tables"]]
        print(json.dumps([name for name, ours, theirs in sides if ours.result() != theirs.result()]))


if __name__ == "__main__":
    main()
