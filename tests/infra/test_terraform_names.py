"""Every resource, block and argument in infra/terraform is one that the provider's published schema has."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.architecture.repository import read, tracked_files

SCHEMA: dict[str, Any] = json.loads(read("infra/schema/aws.json"))
FILES = [path for path in tracked_files() if path.suffix == ".tf"]
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner", "dynamic"}


DYNAMIC = """
resource "aws_db_parameter_group" "x" {
  family = "f"
  dynamic "parameter" {
    for_each = []
    content {
      nam   = "n"
      value = "v"
    }
  }
}"""


@functools.cache
def parsed(path: Path) -> dict[str, Any]:
    """Return a file of the repository; reading one takes a tenth of a second."""
    return hcl2.loads(read(path))


def strangers(configuration: Mapping[str, Any]) -> list[str]:
    """Return what a configuration names and the provider does not know, or wants and does not get."""
    found = []
    for kind in ("resource", "data"):
        for entry in configuration.get(kind, []):
            for quoted, named in entry.items():
                name = quoted.strip('"')
                block = SCHEMA[kind].get(name)
                for label, body in named.items():
                    place = f"{name}.{label.strip(chr(34))}"
                    known = f"{'data.' if kind == 'data' else ''}{name}" in SCHEMA["other"]
                    if block is None:
                        found.append(f"{place}: " + ("run infra/schema/extract.py" if known else "no such resource"))
                    else:
                        found += problems(body, block, place)
    return found


def problems(body: Mapping[str, Any], block: Mapping[str, Any], place: str, meta: frozenset[str] = frozenset(META)):
    """Return what is wrong with one block, and with the blocks in it."""
    found = []
    given = {name: each for name, each in body.items() if not name.startswith("__") and name not in meta}
    nested = {name: each for name, each in given.items() if is_block(each)}
    for entry in body.get("dynamic", []):
        for quoted, each in entry.items():
            if not quoted.startswith("__"):
                nested.setdefault(quoted.strip('"'), []).extend(each["content"])
    for name in given.keys() - nested.keys():
        argument = block["attributes"].get(name)
        if argument is None:
            found.append(f"{place}: no argument {name}")
        elif not argument.get("optional") and not argument.get("required"):
            found.append(f"{place}: {name} is told by AWS and cannot be set")
    for name, bodies in nested.items():
        if name not in block["blocks"]:
            found.append(f"{place}: no block {name}")
            continue
        for each in bodies:
            found += problems(each, block["blocks"][name], f"{place}.{name}", frozenset({"dynamic"}))
    wanted = {name for name, each in block["attributes"].items() if each.get("required")}
    wanted |= {name for name, each in block["blocks"].items() if each.get("required")}
    return found + [f"{place}: lacks {name}" for name in sorted(wanted - given.keys() - nested.keys())]


def is_block(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and "__is_block__" in each for each in value)
    )


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_name_is_the_providers(path: Path):
    assert not strangers(parsed(path))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('resource "aws_s3_bukket" "x" {}', "no such resource"),
        ('resource "aws_instance" "x" {}', "extract.py"),
        ('resource "aws_s3_bucket" "x" {\n  buckett = "b"\n}', "no argument buckett"),
        ('resource "aws_s3_bucket" "x" {\n  arn = "b"\n}', "cannot be set"),
        ('resource "aws_s3_bucket_versioning" "x" {\n  bucket = "b"\n}', "lacks versioning_configuration"),
        (
            'resource "aws_glue_job" "x" {\n  name = "n"\n  command {\n    script_location = "s"\n  }\n}',
            "lacks role_arn",
        ),
        (
            'resource "aws_glue_job" "x" {\n  name = "n"\n  role_arn = "r"\n  command {\n    script = "s"\n  }\n}',
            "no argument script",
        ),
        (DYNAMIC, "no argument nam"),
        ('data "aws_iam_policy_document" "x" {\n  statment {}\n}', "no block statment"),
    ],
)
def test_a_wrong_name_is_found(text: str, problem: str):
    found = strangers(hcl2.loads(f"{text}\n"))
    assert any(problem in each for each in found), found


def declarations(kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path in FILES:
        for entry in parsed(path).get(kind, []):
            for name, body in entry.items():
                yield f"{path}: {name}", body


def test_every_variable_says_what_it_is():
    found = list(declarations("variable"))
    assert len(found) > 50
    assert not [name for name, body in found if not body.get("description") or not body.get("type")]


def test_every_output_says_what_it_is():
    assert not [name for name, body in declarations("output") if not body.get("description")]


def test_no_statement_allows_everything():
    wildcards = []
    for name, body in declarations("data"):
        for document in body.values() if isinstance(body, dict) else []:
            for statement in document.get("statement", []) if isinstance(document, dict) else []:
                actions = [each.strip('"') for each in statement.get("actions", [])]
                denies = statement.get("effect", '"Allow"') == '"Deny"'
                own_key = actions == ["kms:*"] and "AccountAdministers" in statement.get("sid", "")
                if not denies and not own_key and any("*" in action for action in actions):
                    wildcards.append((name, actions))
    assert not wildcards
