"""Starts this test session's own PostgreSQL and Valkey before Django's settings load.

A pytest plugin (`-p tests.servers`). Every process of pytest-xdist gets servers of its own, in a
temporary LAKEHOUSE_HOME; Linux ends them if the session is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from config import env
from config.embedded.postgres import Postgres
from config.embedded.valkey import Valkey
from config.provisioning import provision


class Servers:
    """The session's servers and the folder they live in."""

    def __init__(self) -> None:
        """Make the folder; `start` fills it."""
        self.home = Path(tempfile.mkdtemp(prefix="lakeside-tests-"))
        self.home.chmod(0o711)  # PostgreSQL runs as another user when the suite is run by root.
        self.postgres = Postgres(home=self.home, durable=False)
        self.valkey = Valkey(home=self.home)

    def start(self) -> None:
        """Start both and tell Django's settings where they are."""
        self.postgres.start()
        self.valkey.start()
        urls = provision(self.postgres.url, home=self.home)
        env.export(
            {
                "LAKEHOUSE_SUPERVISED": "true",
                "LAKEHOUSE_HOME": str(self.home),
                "REDIS_URL": self.valkey.url,
                **urls,
            }
        )

    def stop(self) -> None:
        """Stop both and remove the folder."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)


_SERVERS = pytest.StashKey[Servers]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the servers ahead of pytest-django, which loads the settings in this same hook."""
    controls_workers = getattr(early_config.known_args_namespace, "numprocesses", None)
    if not controls_workers:
        servers = Servers()
        early_config.add_cleanup(servers.stop)
        early_config.stash[_SERVERS] = servers
        servers.start()
    return (yield)
