"""Every command that a runbook names exists, with the options it is given."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import CommandParser

from lakehouse_admin.management.commands.lakehouse import VERBS
from tests.architecture.repository import read, text_files

PAGES = [path for path in text_files(".md") if path.parts[:2] == ("docs", "runbooks")]
CHECKED = [*PAGES, Path("docs/aws-checklist.md"), Path("infra/terraform/README.md")]
PLAYBOOKS = [path for path in PAGES if path.name != "README.md"]
COMMAND = re.compile(r"(?<![\w/])(manage\.py|make) ([a-z][^`\n|;#.,):]*(?:\.[\w.-]+[^`\n|;#,):]*)*)")
PLACEHOLDERS = {"RUN": "7", "TABLE": "orders"}


class Wrong(Exception):  # noqa: N818 - it is an answer
    """A command that does not exist as it is written."""


class Strict(argparse.ArgumentParser):
    """Says what is wrong instead of ending the process."""

    def error(self, message: str) -> None:
        raise Wrong(message)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the program and the arguments of every command in a page: in code, within a line or indented."""
    code = re.findall(r"`([^`]+)`", text) + [line for line in text.splitlines() if line.startswith("    ")]
    for piece in code:
        for program, rest in COMMAND.findall(" ".join(piece.split())):
            words = shlex.split(rest.replace("'", ""))
            yield program, [PLACEHOLDERS.get(word, word) for word in words]


def check(program: str, words: list[str]) -> None:
    """Hold one command against the command line.

    Raises:
        Wrong: There is no such command, target, verb or option.
    """
    if program == "make":
        targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))
        if words[0] not in targets:
            raise Wrong(f"make has no target {words[0]}")
        return
    name, *rest = words
    if name not in get_commands():
        raise Wrong(f"manage.py has no command {name}")
    if name == "lakehouse":
        if not rest:
            return
        verb, *rest = rest
        if verb not in VERBS:
            raise Wrong(f"lakehouse has no verb {verb}")
        parser = Strict(prog=verb)
        parser.add_argument("--json", action="store_true")
        VERBS[verb].add_arguments(parser)
        named = [word for word in rest if word.startswith("-")]
        unknown = [word for word in named if word.partition("=")[0] not in parser._option_string_actions]
        if unknown:
            raise Wrong(f"lakehouse {verb} has no option {unknown[0]}")
        if rest:  # A verb named alone, within a sentence, may leave out what it needs.
            parser.parse_args(rest)
        return
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = CommandParser(prog=name, called_from_command_line=False)
    command.add_arguments(parser)
    unknown = [word for word in rest if word.startswith("-") and word not in parser._option_string_actions]
    if unknown:
        raise Wrong(f"manage.py {name} has no option {unknown[0]}")


@pytest.mark.parametrize("path", CHECKED, ids=str)
def test_every_command_exists(path: Path):
    for program, words in commands(read(path)):
        try:
            check(program, words)
        except Wrong as problem:
            pytest.fail(f"{path}: {program} {' '.join(words)}: {problem}")


def test_the_runbooks_name_commands():
    found = [(program, words) for path in PLAYBOOKS for program, words in commands(read(path))]
    assert len(found) > 70
    assert ("manage.py", ["lakehouse", "run", "--wait"]) in found
    assert ("manage.py", ["env_from_terraform", "--into", ".env"]) in found


@pytest.mark.parametrize(
    "line",
    [
        "    manage.py lakehose run",
        "    manage.py lakehouse rum --wait",
        "    manage.py lakehouse run --wiat",
        "    manage.py lakehouse retry seven",
        "    manage.py env_from_terraform --onto .env",
        "    make demmo",
    ],
)
def test_a_wrong_command_is_found(line: str):
    ((program, words),) = commands(line)
    with pytest.raises(Wrong):
        check(program, words)


@pytest.mark.parametrize("path", PLAYBOOKS, ids=str)
def test_a_runbook_says_when_how_and_how_back(path: Path):
    text = read(path)
    for part in ("**When.**", "**How to see it.**", "**How to know that it worked.**", "**How to go back.**"):
        assert part in text, f"{path} lacks {part}"


def test_every_runbook_is_in_the_index():
    assert {path.name for path in PLAYBOOKS} == set(re.findall(r"\]\(([a-z-]+\.md)\)", read("docs/runbooks/README.md")))


def test_alarms_lead_to_runbooks_that_exist():
    named = set(re.findall(r"docs/runbooks/[a-z-]+\.md", "\n".join(read(path) for path in text_files(".tf"))))
    assert named
    assert named <= {str(path) for path in PLAYBOOKS}
