"""Writes docs/performance.md from the benchmarks' JSON documents; no figure in it is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench import common

PAGE = common.PROJECT / "docs" / "performance.md"

_HEAD = """# Performance

Written by `make bench`; do not edit. Each benchmark starts servers of its own and runs its cases in turn within every
round, so that a noisy minute hits them alike; medians are compared. Peers run on the same machine in the same rounds,
in an environment of their own, with the fastest settings that we know of.
"""


def write(names: Sequence[str]) -> None:
    """Write the page from whichever results there are."""
    sections = [
        _section(json.loads(path.read_text())) for name in names if (path := common.RESULTS / f"{name}.json").exists()
    ]
    PAGE.write_text(page(sections))


def page(sections: Sequence[str]) -> str:
    """Return the whole page."""
    return "\n".join([_HEAD, *(sections or ["Nothing has been measured yet.\n"])])


def _section(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    where = (
        f"{machine['cpus']} CPUs ({machine['cpu_model']}), {machine['memory_gib']:.0f} GiB, {machine['system']}, "
        f"Python {machine['python']}"
    )
    parameters = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in result["parameters"].items())
    lines = [
        f"## {result['title']}",
        "",
        f"Measured on {result['measured_on']}: {where}. {parameters.capitalize()}.",
        "",
        "| case | median | fastest | slowest | rows/s |",
        "|---|---:|---:|---:|---:|",
        *(_row(case) for case in result["cases"]),
        "",
        *(_verdict(ratio) for ratio in result["ratios"]),
        "",
        *(f"- {note}" for note in result["notes"]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _row(case: Mapping[str, Any]) -> str:
    rate = "" if case["rows_per_second"] is None else f"{case['rows_per_second']:,.0f}"
    times = " | ".join(f"{s:.3f} s" for s in (case["median_seconds"], min(case["seconds"]), max(case["seconds"])))
    label = case["label"].replace("|", "\\|")
    return f"| {label} | {times} | {rate} |"


def _verdict(ratio: Mapping[str, Any]) -> str:
    verdict = ratio["verdict"].replace("missed", "**missed**")
    return f"{ratio['label']}: **{ratio['value']:.2f}** ({verdict}).  "


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
