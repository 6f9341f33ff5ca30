"""Documents point at things that exist."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.architecture.repository import PROJECT, read, text_files

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DOCUMENTS = text_files(".md")


def anchors(document: str) -> set[str]:
    """Return the anchors that a heading makes, as GitHub writes them."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path):
    for target in LINK.findall(FENCE.sub("", read(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (PROJECT / path).parent / file if file else PROJECT / path
        assert linked.exists(), f"{path} links to {target}"
        assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), f"{path} links to {target}"


def test_every_decision_is_in_the_index():
    index = read("docs/adr/README.md")
    decisions = sorted((PROJECT / "docs/adr").glob("[0-9]*.md"))
    assert [path.name for path in decisions] == re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index)
    for path in decisions:
        heading = path.read_text(encoding="utf-8").splitlines()[0]
        assert heading.startswith(f"# {path.name[:4]}. "), f"{path.name} begins with {heading!r}"
    numbers = [int(path.name[:4]) for path in decisions]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_glossary_names_what_the_code_names():
    code = {path: read(path) for path in text_files(".py", ".sql", ".toml")}
    words = "\n".join(code.values())
    names = re.findall(
        r"`([^`]+)`",
        "\n".join(line.split("|")[3] for line in read("docs/glossary.md").splitlines() if line.count("|") >= 5),
    )
    assert len(names) > 40
    for name in names:
        if "/" in name:
            assert (PROJECT / name).exists(), f"docs/glossary.md names {name}"
        else:
            assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words), f"docs/glossary.md names {name}"


def test_no_word_has_two_meanings():
    terms = [line.split("|")[1].strip() for line in read("docs/glossary.md").splitlines() if line.startswith("| ")]
    single = [word.strip() for term in terms if term != "Term" for word in term.split(",")]
    assert sorted(single) == sorted(set(single))


@pytest.mark.parametrize("path", text_files(".svg"), ids=str)
def test_pictures_are_well_formed_and_described(path: Path):
    root = ET.fromstring(read(path))  # noqa: S314 - our own file
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    if Path("docs") in path.parents:
        assert {"title", "desc"} <= tags
    assert "script" not in tags
