"""Thousands of publications, one small change each: what the last one costs beside the first hundred.

One follower lives through all of them, as in a lake that is followed for hours, and does by
itself what keeps the lake small. Retention and the safe age are short, so that what is kept
is full after some dozens of publications: from then on nothing may grow.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.bench import common
from tests.lakes import lake_in

if TYPE_CHECKING:
    from tests.integration.lakehouse_admin.test_follow import World

MARKS = (100, 500, 1_000, 2_000)
_AROUND = 50
"""Publications before a mark whose times are looked at."""
_KEPT = 50
_MOST_RATIO = 1.5
_METADATA = "SELECT metadata_location FROM lake.iceberg_tables ORDER BY 1"
_CATALOG_BYTES = (
    "SELECT coalesce(sum(pg_table_size(c.oid)), 0)::bigint FROM pg_class c WHERE c.relname = ANY (%s) AND relkind = 'r'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The lake after so many publications."""

    publications: int
    commit_seconds: float
    """From the change in bronze to its publication, median of the last ones."""
    metadata_bytes: int
    """Of every table's current metadata file: written anew by each of its commits."""
    catalog_rows: int
    """Publications and tables that the control plane and the catalog know."""
    catalog_bytes: int
    """What PostgreSQL keeps them in."""
    files: int
    lake_bytes: int
    """Of silver and gold, whatever keeps it."""


def measure(marks: tuple[int, ...], world: World, step: Callable[[int], float], urls: dict[str, str]) -> Iterator[Mark]:
    """Publish up to each mark; look at the lake there."""
    seconds: list[float] = []
    for number in range(1, marks[-1] + 1):
        seconds.append(step(number))
        if number in marks:
            yield _look(number, seconds[-_AROUND:], world, urls)


def _look(number: int, seconds: list[float], world: World, urls: dict[str, str]) -> Mark:
    files = [path.stat().st_size for path in Path(world.lake.warehouse).rglob("*") if path.is_file()]
    with psycopg.connect(urls["DATABASE_URL"]) as connection:
        locations = [location for (location,) in connection.execute(_METADATA)]
        ((publications,),) = connection.execute("SELECT count(*) FROM lakehouse_publications").fetchall()
        tables = ["lakehouse_publications", "iceberg_tables"]
        ((catalog_bytes,),) = connection.execute(_CATALOG_BYTES, [tables]).fetchall()
    return Mark(
        publications=number,
        commit_seconds=round(statistics.median(seconds), 4),
        metadata_bytes=sum(Path(location).stat().st_size for location in locations),
        catalog_rows=publications + len(locations),
        catalog_bytes=catalog_bytes,
        files=len(files),
        lake_bytes=sum(files),
    )


def main() -> None:
    """Measure and report."""
    options = common.parser(__doc__)
    options.add_argument("--publications", type=int, default=MARKS[-1], help="how many (default: 2,000)")
    chosen = options.parse_args()
    marks = (*(mark for mark in MARKS if mark < chosen.publications), chosen.publications)
    with common.scratch_server() as server:
        urls = server.open_product()
        found = list(_run(server, marks, urls))
    _tell(found)
    first, last = found[0], found[-1]
    common.report(
        common.Result(
            name="publications",
            title=f"The {last.publications:,}th publication beside the {first.publications:,}th",
            cases=tuple(
                common.Case(
                    name=f"at_{mark.publications}",
                    label=f"change to publication, after {mark.publications:,}",
                    seconds=(mark.commit_seconds,),
                )
                for mark in found
            ),
            ratios=tuple(
                common.Ratio(
                    label=f"{label}, last by first",
                    value=getattr(last, name) / getattr(first, name),
                    bound="at most",
                    target=_MOST_RATIO,
                )
                for name, label in {
                    "commit_seconds": "Seconds to a publication",
                    "metadata_bytes": "Bytes of the tables' metadata files",
                    "catalog_rows": "Rows of the catalog",
                    "catalog_bytes": "Bytes of the catalog",
                    "files": "Files of silver and gold",
                    "lake_bytes": "Bytes of silver and gold",
                }.items()
            ),
            parameters={"publications": last.publications, "kept": _KEPT},
            notes=(
                *(_sentence(mark) for mark in found),
                f"The newest {_KEPT} publications are kept, and files for five seconds; bronze is not looked at.",
            ),
        ),
        chosen,
    )


def _run(server: common.Server, marks: tuple[int, ...], urls: dict[str, str]) -> Iterator[Mark]:
    # Django's models may be imported only now.
    import lakehouse_admin.follow as module
    from etl.follow import cycle
    from lakehouse_admin.retention import Retention
    from tests.integration.lakehouse_admin.test_follow import MODELS, World, order

    module._RETIRE_SECONDS, cycle._SWEEP_SECONDS = 1.0, 0.2
    world = World(lake_in(server.home / "lake", urls["LAKEHOUSE_CATALOG_URL"]))
    world.load()
    world.publish()
    none = timedelta()
    following = module.Following(
        world.store,
        open_follower=lambda slot: cycle.Follower(
            world.lake, world.store, slot=slot, models=MODELS, safe_age=timedelta(seconds=5)
        ),
        rule=Retention(newest=_KEPT, every=none, hourly=none, daily=none),
    )

    def step(number: int) -> float:
        world.insert("orders", order(100 + number, tenant_id=number % 2 + 1))
        started = time.perf_counter()
        while not following.step():
            pass
        return time.perf_counter() - started

    try:
        yield from measure(marks, world, step, urls)
    finally:
        following.close()


def _sentence(mark: Mark) -> str:
    return (
        f"After {mark.publications:,}: {mark.commit_seconds:.3f} s, {mark.metadata_bytes:,} bytes of metadata files, "
        f"{mark.catalog_rows:,} rows and {mark.catalog_bytes:,} bytes of catalog, {mark.files:,} files and "
        f"{mark.lake_bytes:,} bytes of silver and gold."
    )


def _tell(found: list[Mark]) -> None:
    print(json.dumps([asdict(mark) for mark in found], indent=1))


if __name__ == "__main__":
    main()
