"""`python -m tests.fault --kills 500 --seed 7`: one chaos run; its exit code is 0 only if nothing differs."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.fault.chaos import run


def main() -> int:
    """Run, print the table, and tell whether anything is wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=100, help="how many (default: 100)")
    options.add_argument("--seed", type=int, help="chooses what is written and killed (default: a new one)")
    chosen = options.parse_args()
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    print(f"seed {seed}; again: make chaos KILLS={chosen.kills} SEED={seed}", flush=True)
    report = run(chosen.kills, seed, say=lambda line: print(line, flush=True))
    print("\n".join(report.lines()))
    return 1 if report.verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
