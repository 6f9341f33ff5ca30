"""The script of the Glue job: reads what to do from S3, does it, and leaves the result beside it.

    python -m lakehouse_admin.adapters.aws.glue_main --lakeside_key K --lakeside_spec s3://.../K/spec.json

Jobs written in plain Python run as they are, with S3 for a store: ``dms_intake``. The
transforms run on Spark, by ``etl.jobs.glue.run(name, arguments, store)``, which gives back
the result that `etl.jobs` documents for the job of that name. Needs neither Django nor a database.

The source's URL is fetched from Secrets Manager here, under the job's own role: it stands
in no argument, no log and no result.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import boto3

from etl.errors import LakehouseError, TransientError
from etl.jobs import dms_intake
from etl.jobs.dms_intake import DmsIntake
from etl.jobs.document import build, dump
from etl.jobs.progress import Progress
from etl.ports.object_store import ObjectStore
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.errors import aws_errors
from lakehouse_admin.adapters.aws.object_store import S3Store
from lakehouse_admin.adapters.aws.uri import split_uri

SUCCEEDED, FAILED = 0, 1
_HEARTBEAT_SECONDS = 10.0


class SecretUnavailableError(TransientError):
    """Secrets Manager did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the script was called with."""

    key: str
    spec_uri: str
    source_secret: str | None
    endpoint: str | None
    region: str | None


def main(argv: Sequence[str]) -> int:
    """Run the job that the arguments name; return the exit code."""
    asked = _parse(argv)
    clients = AwsClients(region=asked.region or boto3.Session().region_name or "", endpoint=asked.endpoint)
    folder_uri = asked.spec_uri.rpartition("/")[0]
    spec: dict[str, Any] = json.loads(_store(clients, folder_uri, {}).get("spec.json"))
    folder = _store(clients, folder_uri, spec["arguments"])
    secrets: dict[str, str] = {}
    progress = Progress()
    try:
        if asked.source_secret:
            secrets = {"source_url": _fetch(asked.source_secret, asked)}
        with _Heartbeat(folder, progress):
            result = _run(spec["name"], {**secrets, **spec["arguments"]}, progress, clients)
    except Exception as error:  # noqa: BLE001 - the border of the process: every failure becomes a result
        hide = _hider(secrets.values())
        sys.stderr.write(hide("".join(traceback.format_exception(error))) + "\n")
        failure = {
            "state": "failed",
            "error_class": f"{type(error).__module__}.{type(error).__qualname__}",
            "error_message": hide(str(error)),
            "guidance": error.guidance if isinstance(error, LakehouseError) else LakehouseError.guidance,
        }
        folder.put("result.json", json.dumps(failure, indent=1).encode())
        return FAILED
    folder.put("result.json", f'{{"state": "succeeded", "result": {result}}}'.encode())
    return SUCCEEDED


def _parse(argv: Sequence[str]) -> _Asked:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--lakeside_key", required=True)
    parser.add_argument("--lakeside_spec", required=True)
    parser.add_argument("--lakeside_source_secret")
    parser.add_argument("--lakeside_endpoint", help="a URL that answers for every service, such as an emulator's")
    parser.add_argument("--lakeside_region")
    known, _ = parser.parse_known_args(argv)  # Glue adds arguments of its own.
    return _Asked(
        key=known.lakeside_key,
        spec_uri=known.lakeside_spec,
        source_secret=known.lakeside_source_secret,
        endpoint=known.lakeside_endpoint,
        region=known.lakeside_region,
    )


def _run(name: str, arguments: Mapping[str, object], progress: Progress, clients: AwsClients) -> str:
    """Run one job; return its result as JSON."""
    bronze = _store(clients, f"{arguments['lake_uri']}/bronze", arguments)
    if name == "dms_intake":
        landing = _store(clients, str(arguments["landing_uri"]), arguments)
        return dump(dms_intake.run(build(DmsIntake, arguments), progress, store=bronze, landing=landing))
    spark_jobs = importlib.import_module("etl.jobs.glue")
    run = cast("Callable[[str, Mapping[str, object], ObjectStore], object]", spark_jobs.run)
    return dump(run(name, arguments, bronze))


def _store(clients: AwsClients, uri: str, arguments: Mapping[str, Any]) -> S3Store:
    """Return the objects below an address, held to the owner and encrypted by the key that the control plane names."""
    bucket, prefix = split_uri(uri)
    return S3Store(
        clients.s3,
        bucket=bucket,
        prefix=prefix,
        account=arguments.get("account"),
        kms_key=arguments.get("kms_key"),
    )


def _fetch(secret: str, asked: _Asked) -> str:
    """Return the source's URL."""
    client = boto3.client("secretsmanager", region_name=asked.region, endpoint_url=asked.endpoint)
    with aws_errors("The source's secret cannot be read", unavailable=SecretUnavailableError):
        url: str = client.get_secret_value(SecretId=secret)["SecretString"]
    return url


def _hider(secrets: Sequence[str] | Any) -> Callable[[str], str]:
    """Return what blacks out the secrets, and the passwords in them, in text meant for people."""
    hidden = set()
    for secret in secrets:
        password = urlsplit(secret).password or ""
        hidden |= {secret, password, unquote(password)}

    def hide(text: str) -> str:
        for word in sorted(hidden - {""}, key=len, reverse=True):
            text = text.replace(word, "***")
        return text

    return hide


class _Heartbeat:
    """Replaces ``progress.json`` every few seconds while the job runs."""

    def __init__(self, folder: ObjectStore, progress: Progress) -> None:
        self._folder = folder
        self._progress = progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._write()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        line = {"heartbeat_at": datetime.now(UTC).isoformat(), "pid": os.getpid(), "progress": self._progress.fields}
        try:
            self._folder.delete("progress.json")
            self._folder.put("progress.json", json.dumps(line, default=str).encode())
        except LakehouseError:
            return  # Telling how far it is must not end the job: it will say so itself, or finish.


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
