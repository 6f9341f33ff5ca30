"""What `manage.py demo` adds to a stack: sample data, users to sign in as, a first pipeline run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg

from config.embedded import python_services
from config.embedded.supervisor import Scenario, Supervisor

_HAS_TENANTS_SQL = "SELECT EXISTS (SELECT FROM tenants)"
_HAS_PUBLICATION_SQL = "SELECT EXISTS (SELECT FROM lakehouse_publications)"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoUser:
    """A line of the users' file."""

    email: str
    password: str
    path: str
    """Where they belong, below the site's root."""


class Demo(Scenario):
    """Fills an empty stack; leaves a filled one as it is."""

    def __init__(self, *, scale: str) -> None:
        """Seed at ``scale``, if at all."""
        self._scale = scale
        self._users_are_new = False

    def fill(self, stack: Supervisor) -> None:
        """Seed an empty source, and make users if their file is missing or a tenant has none."""
        if not _holds(stack, _HAS_TENANTS_SQL):
            with stack.report.step(f"Sample data ({self._scale})"):
                stack.command("seed_data", "--scale", self._scale)
        file = users_file(stack.home)
        before = file.read_bytes() if file.exists() else None
        with stack.report.step("Users"):
            stack.command("demo_users", "--file", str(file))
        self._users_are_new = before != file.read_bytes()

    def first_run(self, stack: Supervisor) -> None:
        """Run the pipeline once, unless something is published already."""
        if not _holds(stack, _HAS_PUBLICATION_SQL):
            with stack.report.step("First pipeline run"):
                environment = python_services.worker_environment(stack.home, stack.values)
                stack.command("lakehouse", "run", "--wait", environment=environment)

    def welcome(self, stack: Supervisor) -> str:
        """Return addresses and users; passwords only if they are new."""
        return describe(stack.url, stack.home, with_passwords=self._users_are_new)


def users_file(home: Path) -> Path:
    """Return the private file with the demo's users and their passwords."""
    return home / "private" / "demo-users.txt"


def read_users(file: Path) -> list[DemoUser]:
    """Return the users in the file: one a line, email, password and path."""
    lines = file.read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if line and not line.startswith("#")]
    return [DemoUser(email=email, password=password, path=path) for email, password, path in fields]


def write_users_text(users: list[DemoUser]) -> str:
    """Return the text of the users' file."""
    return _table(["# email", "password", "page"], [(user.email, user.password, user.path) for user in users])


def describe(url: str, home: Path, *, with_passwords: bool) -> str:
    """Return the block that tells a person where to go and whom to sign in as."""
    file = users_file(home)
    users = read_users(file) if file.exists() else []
    root = url.rstrip("/")
    rows = [(root + user.path, user.email, *([user.password] if with_passwords else [])) for user in users]
    table = _table(["Page", "Sign in as", *(["Password"] if with_passwords else [])], rows)
    kept = "also kept in" if with_passwords else "in"
    return (
        f"Lakeside is ready: {url}\n\n{table}\n"
        f"Passwords are {kept} {file}\n"
        "Ctrl+C stops everything, as does `make down` in another terminal."
    )


def _holds(stack: Supervisor, question: str) -> bool:
    with psycopg.connect(stack.values["DATABASE_URL"]) as connection:
        return connection.execute(question.encode()).fetchone() == (True,)


def _table(header: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [tuple(header), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )
