"""Plants bugs, one at a time, in a copy of the project, and has the tests find them: `make mutants`.

A mutant that no test finds is a hole in the tests; one whose place in the source is gone, or
that breaks the program instead of bending it, is an error of this file. Before anything else the tests
that are to find them are run on the untouched copy: what fails there finds nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import env

_CHANGES = "tests/integration/etl/test_changes.py::"
_SILVER = "tests/integration/etl/test_incremental_silver.py::"
_GOLD = "tests/integration/etl/test_gold_refresh.py::"
_FOLLOW = "tests/integration/lakehouse_admin/test_follow.py::"
_KILLED = f"{_CHANGES}test_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice"
_ANY_HISTORY = f"{_SILVER}test_silver_is_what_the_source_holds"
_CHAOS = "make chaos KILLS=24 SEED=1"
_CHAOS_COMMAND = ("-m", "tests.fault", "--kills", "24", "--seed", "1")
_SECONDS = 180
_FAILED = 1
"""What pytest and chaos report for a difference; other codes mean that they could not run."""


_HANGS = -1


class MutantError(Exception):
    """A mutant cannot be planted, or its test says nothing about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A place in the source, and what stands there instead."""

    file: str
    anchor: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A bug, and what finds it."""

    name: str
    edits: tuple[Edit, ...]
    found_by: str
    """A test's id, or `_CHAOS`."""


def _mutant(name: str, found_by: str, *edits: tuple[str, str, str]) -> Mutant:
    return Mutant(
        name=name,
        found_by=found_by,
        edits=tuple(Edit(file=file, anchor=anchor, instead=instead) for file, anchor, instead in edits),
    )


_CONFIRM_FIRST = (
    "etl/replicate/session.py",
    "        manifest = flush.commit()\n",
    "        self._stream.confirm(Lsn(flush._last_lsn))\n        manifest = flush.commit()\n",
)
_FROM_ANYWHERE = (
    (
        "etl/replicate/session.py",
        "                    start=position.durable_lsn,\n",
        "                    start=Lsn(0),\n",
    ),
    (
        "etl/replicate/session.py",
        "        after = self._landing.position.durable_lsn\n",
        "        after = Lsn(0)\n",
    ),
)

MUTANTS = (
    _mutant("the slot is told before files and manifest are durable", f"{_KILLED}[files durable]", _CONFIRM_FIRST),
    _mutant("the same, found by chaos", _CHAOS, _CONFIRM_FIRST),
    _mutant("what the source sends again is landed again", f"{_KILLED}[committed]", *_FROM_ANYWHERE),
    _mutant("the same, found by chaos", _CHAOS, *_FROM_ANYWHERE),
    _mutant(
        "files that a dead replicator left stay",
        f"{_KILLED}[files durable]",
        (
            "etl/replicate/changes.py",
            "                return milliseconds\n            store.delete(key)\n",
            "                return milliseconds\n            return milliseconds\n",
        ),
    ),
    _mutant(
        "a file is visible before its bytes are on the disk",
        "tests/fault/test_durability.py::test_a_file_is_on_the_disk_before_it_has_a_name",
        ("etl/bronze/directory.py", "                os.fsync(raw.fileno())\n", ""),
    ),
    _mutant(
        "a file's name is not on the disk",
        "tests/fault/test_durability.py::test_a_file_is_on_the_disk_before_it_has_a_name",
        (
            "etl/bronze/directory.py",
            "from None\n        _sync_directory(final.parent)\n",
            "from None\n",
        ),
    ),
    _mutant(
        "a manifest is accepted under another name",
        "tests/unit/etl/bronze/test_damage.py::test_a_flush_under_another_name_is_refused",
        ("etl/bronze/window.py", "if manifest.last_lsn != _last_lsn(key) or not", "if not"),
    ),
    _mutant(
        "a damaged file is read",
        f"{_FOLLOW}test_a_damaged_file_fails_its_table_alone_and_is_tried_again",
        ("etl/silver/applier.py", "            verify(self._store, files)\n", ""),
    ),
    _mutant(
        "an update of a key leaves the old row",
        _ANY_HISTORY,
        (
            "etl/silver/merge.py",
            "    if staged.has_old_keys:\n        events = _with_departures",
            "    if not staged.rows:\n        events = _with_departures",
        ),
    ),
    _mutant(
        "an update of a key takes effect as delete after insert",
        _ANY_HISTORY,
        (
            "etl/silver/merge.py",
            "CASE WHEN {identifier(_STAY)} AND left_key THEN 1 ELSE 0 END, {_SEQ} DESC",
            "CASE WHEN left_key THEN 0 ELSE 1 END, {_SEQ} DESC",
        ),
    ),
    _mutant(
        "the replicator forgets the key before an update",
        f"{_CHANGES}test_every_committed_change_is_there_once_in_its_order",
        ("etl/replicate/change_rows.py", "    chosen = np.flatnonzero(is_changed)\n", "    chosen = rows[:0]\n"),
    ),
    _mutant(
        "the watermark is not in the commit of the rows",
        f"{_SILVER}test_a_crash_anywhere_is_repeated_to_the_same_rows[1-committed]",
        (
            "etl/silver/apply_changes.py",
            "staged.last_change_seq),\n        source_lsn=str(int(max(silver.source_lsn, source_lsn))),\n",
            "''),\n        source_lsn=str(silver.source_lsn),\n",
        ),
    ),
    _mutant(
        "deletes leave no tombstone",
        f"{_SILVER}test_a_replay_brings_nothing_back",
        (
            "etl/silver/apply_changes.py",
            "        if selects:\n            self._silver",
            "        if not dead:\n            self._silver",
        ),
    ),
    _mutant(
        "a large value that was not sent again becomes NULL",
        _ANY_HISTORY,
        (
            "etl/silver/apply_changes.py",
            "        if self._staged.has_unchanged:\n",
            "        if not self._staged.rows:\n",
        ),
    ),
    _mutant(
        "a truncate is ignored",
        _ANY_HISTORY,
        ("etl/silver/changes.py", "FILTER ({op} = 'T' AND", "FILTER ({op} = 'X' AND"),
    ),
    _mutant(
        "gold leaves out one of the tenants that changed",
        f"{_GOLD}test_only_the_touched_tenants_files_are_written",
        (
            "etl/gold/refresh.py",
            "        return frozenset(found) if _is_by_tenant",
            "        return frozenset(sorted(found)[1:]) if _is_by_tenant",
        ),
    ),
    _mutant(
        "gold does not notice that a day has ended",
        f"{_GOLD}test_at_a_tenants_midnight_that_tenant_is_computed_anew",
        ("etl/gold/refresh.py", "        if use is AsOfUse.DAYS:\n", "        if not use:\n"),
    ),
    _mutant(
        "a publication does not prove its lease's token",
        f"{_FOLLOW}test_one_that_wakes_up_late_publishes_nothing",
        (
            "lakehouse_admin/lease.py",
            "is_ours = Q(name=held.name, holder=held.holder, token=held.token)",
            "is_ours = Q(name=held.name)",
        ),
    ),
    _mutant(
        "two workers may move a run at once",
        "tests/integration/lakehouse_admin/test_claims.py",
        ("lakehouse_admin/claim.py", ".filter(free, pk=run_id,", ".filter(pk=run_id,"),
    ),
    _mutant(
        "a full load's later sessions queue behind who waits for the first",
        "tests/integration/etl/test_full_load.py::test_a_truncate_that_waits_for_the_load_does_not_hold_it_up",
        ("etl/replicate/full_load.py", "for session in joined:  # Each", "for session in joined[:1]:  # Each"),
    ),
)


def check_places(mutant: Mutant, project: Path) -> None:
    """Look whether the mutant can be planted.

    Raises:
        MutantError: A place is gone, or there are several like it.
    """
    for edit in mutant.edits:
        places = (project / edit.file).read_text(encoding="utf-8").count(edit.anchor)
        if places != 1:
            raise MutantError(f"{mutant.name}: {edit.file} has {places} places like {edit.anchor.strip()!r}.")


def plant(mutant: Mutant, project: Path) -> None:
    """Bend the source of a copy."""
    for edit in mutant.edits:
        path = project / edit.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(edit.anchor, edit.instead), encoding="utf-8")


@contextmanager
def copied() -> Iterator[Path]:
    """Copy the project, without what is not of its source."""
    with tempfile.TemporaryDirectory(prefix="lakeside-mutants-") as folder:
        project = Path(folder) / "project"
        Path(folder).chmod(0o711)
        left_out = shutil.ignore_patterns(".*", "var", "staticfiles", "__pycache__")
        shutil.copytree(env.PROJECT, project, ignore=left_out)
        yield project


def run_tests(project: Path, tests: Sequence[str]) -> tuple[int, str]:
    """Run tests in a copy; return their exit code and what they said. A test that hangs says nothing."""
    command = _CHAOS_COMMAND
    if tests != [_CHAOS]:
        command = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests)
    try:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=project,
            env={**env.child_environment({}), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _HANGS, f"it does not end within {_SECONDS} s"
    return done.returncode, done.stdout


def find(mutant: Mutant) -> bool:
    """Plant a mutant; tell whether its test finds it.

    Raises:
        MutantError: It cannot be planted, or its test could not run.
    """
    check_places(mutant, env.PROJECT)
    with copied() as project:
        plant(mutant, project)
        code, said = run_tests(project, [mutant.found_by])
    if code not in {0, _FAILED}:
        raise MutantError(f"its test could not run ({code}): {said[-500:]}")
    return code == _FAILED


def main() -> int:
    """Find every mutant; return 1 if one survives or cannot be planted."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", default="", help="those with this text in their name")
    only = options.parse_args().only
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    with copied() as project:
        named = sorted({mutant.found_by for mutant in chosen} - {_CHAOS})
        code, said = run_tests(project, named)
        if code:
            print(f"The tests fail without any mutant:\n{said[-3000:]}")
            return 1
    print(f"{len(named)} tests pass without a mutant; planting {len(chosen)}.", flush=True)
    wrong = 0
    for mutant in chosen:
        began = time.monotonic()
        try:
            outcome = "found" if find(mutant) else "SURVIVES"
        except MutantError as error:
            outcome = f"ERROR, {error}"
        wrong += outcome != "found"
        seconds = time.monotonic() - began
        print(f"{outcome:<9} {seconds:4.0f} s  {mutant.name}\n{'':18}by {mutant.found_by}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} mutants found.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
