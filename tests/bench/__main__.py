"""Run the benchmarks, one after another, and write docs/performance.md: ``python -m tests.bench [name ...]``."""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys

from tests.bench import common, performance

BENCHMARKS = ("seeding", "full_load", "pipeline", "incremental")
BY_NAME = ("freshness", "large_transaction", "publications", "scale")
"""Minutes at a steady rate, or a machine of one's own: they run only when they are named."""


def main() -> None:
    """Measure what was named, or everything; the page shows the latest result of each."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"of {', '.join((*BENCHMARKS, *BY_NAME))} (default: {', '.join(BENCHMARKS)})",
    )
    options.add_argument("--measured-on", type=dt.date.fromisoformat, default=dt.datetime.now(tz=dt.UTC).date())
    chosen = options.parse_args()
    if unknown := set(chosen.names) - {*BENCHMARKS, *BY_NAME}:
        options.error(
            f"no benchmark is called {', '.join(sorted(unknown))}: choose from {', '.join((*BENCHMARKS, *BY_NAME))}"
        )
    for name in chosen.names or BENCHMARKS:
        command = [sys.executable, "-m", f"tests.bench.{name}", "--measured-on", chosen.measured_on.isoformat()]
        if subprocess.run(command, cwd=common.PROJECT, check=False).returncode:
            sys.exit(f"The benchmark {name} failed; the page was not written.")
    performance.write((*BENCHMARKS, *BY_NAME))


if __name__ == "__main__":
    main()
