"""The repository speaks of the product alone, and holds no traces of the machine it was written on."""

import re

import pytest

from tests.architecture.repository import read, text_files, tracked_files

THIS = "tests/architecture/test_repository.py"
TRACES = {
    "a folder of somebody's machine": r"(?<![\w.$}~-])/(?:home/\w+|root|work|Users/\w+)(?:/|\b(?!\w))",
    "a package index": r"(?:pypi\.(?:org|python)|pythonhosted|registry\.npmjs|proxy\.golang)",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----",
    "an AWS access key": r"\bAKIA[0-9A-Z]{16}\b",
    "a merge conflict": r"^(?:<{7}|>{7}) ",
    "a note without an address": r"\b(?:TODO|FIXME|XXX)\b(?!.*https?://)",
}
GRAB_BAGS = {"utils", "util", "helpers", "helper", "misc", "common_utils", "signals", "signal_handlers"}


@pytest.mark.parametrize("what", TRACES)
def test_no_file_holds(what: str):
    pattern = re.compile(TRACES[what], re.MULTILINE)
    found = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for path in text_files()
        if str(path) != THIS and path.name != "compose-spec.json"
        for text in [read(path)]
        for match in pattern.finditer(text)
    ]
    assert not found, f"{what}: {found}"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a folder of somebody's machine", "open('/home/ada/lake')"),
        ("a package index", "https://{}.org/simple".format("pypi")),
        ("a private key", "-----BEGIN RSA PRIVATE KEY-----"),
        ("an AWS access key", "AKIAABCDEFGHIJKLMNOP"),
        ("a merge conflict", ">>>>>>> theirs"),
        ("a note without an address", "# TODO: later"),
    ],
)
def test_the_patterns_find_what_they_name(what: str, text: str):
    assert re.search(TRACES[what], text, re.MULTILINE)


def test_modules_are_named_for_what_they_hold():
    assert not [path for path in tracked_files() if path.suffix == ".py" and path.stem in GRAB_BAGS]


def test_nothing_large_or_private_is_committed():
    names = {path.name for path in tracked_files()}
    assert not names & {".env", "embedded.env", "secret_key", "demo-users.txt"}
    assert not [path for path in tracked_files() if path.suffix in {".pem", ".key", ".pyc", ".duckdb"}]
