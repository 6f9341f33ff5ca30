"""A Trino of the tests' own on loopback, with one Iceberg catalog: the lake's, in PostgreSQL."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit

from etl.engine.catalog import CATALOG_NAME
from etl.engine.lake import LakeConfig
from tests.bench.common import PROJECT

HOME = PROJECT / ".venv-trino/server-476"

_STARTS_WITHIN_SECONDS = 300
_JVM = (
    "-Xmx2G",
    "-Djdk.attach.allowAttachSelf=true",
    "-Duser.timezone=UTC",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


class TrinoError(Exception):
    """Trino refused a statement."""


class Trino:
    """Answers statements."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    @property
    def version(self) -> str:
        """Return the version that the server calls itself."""
        return str(self._ask("/v1/info")["nodeVersion"]["version"])

    @property
    def is_ready(self) -> bool:
        """Tell whether it answers."""
        try:
            return self._ask("/v1/info")["starting"] is False
        except (URLError, OSError):
            return False

    def run(self, statement: str) -> list[list[Any]]:
        """Run a statement; return its rows.

        Raises:
            TrinoError: It was refused.
        """
        rows: list[list[Any]] = []
        answer = self._ask("/v1/statement", statement)
        while True:
            if "error" in answer:
                raise TrinoError(answer["error"]["message"])
            rows += answer.get("data", [])
            if "nextUri" not in answer:
                return rows
            answer = self._ask(urlsplit(answer["nextUri"]).path)

    def _ask(self, path: str, body: str | None = None) -> dict[str, Any]:
        headers = {"X-Trino-User": "tests", "X-Trino-Catalog": CATALOG_NAME, "X-Trino-Time-Zone": "UTC"}
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self._url}{path}", data=body.encode() if body is not None else None, headers=headers
        )
        with urllib.request.urlopen(request, timeout=300) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer


@contextmanager
def trino_server(lake: LakeConfig, folder: Path, *, java: str) -> Iterator[Trino]:
    """Start Trino over a lake; end it with the block.

    Args:
        lake: Its catalog is in PostgreSQL.
        folder: For its settings, its data and its log.
        java: The program, of version 24 or newer.
    """
    port = _free_port()
    _configure(lake, folder, port)
    command = [
        java,
        *_JVM,
        "-cp",
        f"{HOME}/lib/*",
        "-Dnode.environment=tests",
        "-Dnode.id=one",
        f"-Dnode.data-dir={folder}/data",
        f"-Dconfig={folder}/config.properties",
        f"-Dcatalog.config-dir={folder}/catalog",
        "io.trino.server.TrinoServer",
    ]
    with (folder / "trino.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        trino = Trino(port)
        deadline = time.monotonic() + _STARTS_WITHIN_SECONDS
        while not trino.is_ready:
            if process.poll() is not None or time.monotonic() > deadline:
                raise TrinoError((folder / "trino.log").read_text()[-3000:])
            time.sleep(0.5)
        yield trino
    finally:
        process.terminate()
        process.wait(timeout=60)


def _configure(lake: LakeConfig, folder: Path, port: int) -> None:
    """Write the server's settings: one process, and of all connectors Iceberg alone."""
    for name in ("catalog", "data", "plugins"):
        (folder / name).mkdir(parents=True)
    (folder / "plugins/iceberg").symlink_to(HOME / "plugin/iceberg")
    _write(
        folder / "config.properties",
        {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(port),
            "node.internal-address": "127.0.0.1",
            "discovery.uri": f"http://127.0.0.1:{port}",
            "query.max-memory": "1GB",
            "query.max-memory-per-node": "1GB",
            "plugin.dir": f"{folder}/plugins",
            "web-ui.enabled": "false",
        },
    )
    assert lake.catalog_url is not None
    url = urlsplit(lake.catalog_url)
    _write(
        folder / f"catalog/{CATALOG_NAME}.properties",
        {
            "connector.name": "iceberg",
            "iceberg.catalog.type": "jdbc",
            "iceberg.jdbc-catalog.driver-class": "org.postgresql.Driver",
            "iceberg.jdbc-catalog.connection-url": f"jdbc:postgresql://{url.hostname}:{url.port or 5432}{url.path}",
            "iceberg.jdbc-catalog.connection-user": unquote(url.username or ""),
            "iceberg.jdbc-catalog.connection-password": unquote(url.password or ""),
            "iceberg.jdbc-catalog.catalog-name": CATALOG_NAME,
            "iceberg.jdbc-catalog.schema-version": "V1",
            "iceberg.jdbc-catalog.default-warehouse-dir": f"{lake.warehouse}/trino",
            "fs.hadoop.enabled": "true",
        },
    )


def _write(path: Path, settings: dict[str, str]) -> None:
    path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    path.chmod(0o600)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
