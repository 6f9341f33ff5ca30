"""A service of AWS within this process: real boto3 clients ask, botocore's own models check what comes back.

A fake answers where the network would begin. Everything before that is botocore's: its
checks of parameters, its serialiser, its retries, its parser, its errors. Every reply is
held against the service's published output shape first, so that a fake cannot answer what
AWS could not.
"""

from __future__ import annotations

import functools
import io
import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

REGION = "eu-central-1"
ACCOUNT = "123456789012"


def check_reply(operation: OperationModel, reply: Mapping[str, Any]) -> None:
    """Refuse a reply that the service's model does not allow: types, missing and unknown members, enumerations."""
    shape = operation.output_shape
    if shape is None:
        assert not reply, f"{operation.name} answers nothing"
        return
    report = ParamValidator().validate(reply, shape)
    assert not report.has_errors(), f"{operation.name}: {report.generate_report()}"
    for problem in _strangers(shape, reply, operation.name):
        raise AssertionError(problem)


def _strangers(shape: Shape, value: Any, path: str) -> list[str]:
    """Return what botocore's validator lets pass: members and enumerated values that the model does not know."""
    if value is None:
        return [f"{path} is None"]
    if isinstance(shape, StructureShape):
        unknown = [f"{path} has no member {name}" for name in value if name not in shape.members]
        return unknown + [
            problem
            for name, item in value.items()
            if name in shape.members
            for problem in _strangers(shape.members[name], item, f"{path}.{name}")
        ]
    if isinstance(shape, ListShape):
        return [problem for item in value for problem in _strangers(shape.member, item, f"{path}[]")]
    if isinstance(shape, MapShape):
        return [problem for item in value.values() for problem in _strangers(shape.value, item, f"{path}{{}}")]
    if shape.type_name == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path}: {value!r} is none of {shape.enum}"]
    return []


@dataclass
class Clock:
    """Time, by script."""

    at: datetime = datetime(2026, 11, 23, 8, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)


class Fault(Exception):
    """An error the service answers with."""

    def __init__(self, code: str, message: str = "Because of the script.", *, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status


class FakeService:
    """Answers one service's requests by methods named as its operations: ``StartJobRun`` is ``start_job_run``."""

    name: str
    """boto3's name of the service."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Every request that arrived, retried ones too."""
        self.faults: deque[tuple[str, Fault | Callable[[], Any]]] = deque()
        """What the next requests of an operation meet instead of an answer."""
        self._one_by_one = threading.Lock()

    def fail(self, operation: str, fault: Fault | Callable[[], Any], *, times: int = 1) -> None:
        """Have the next requests of an operation fail; a callable may raise, or do its part and then raise."""
        self.faults.extend([(operation, fault)] * times)

    def client(self, *, attempts: int = 1) -> Any:
        """Return boto3's client, whose network is this fake."""
        session = _session()
        client = session.client(
            self.name,
            region_name=REGION,
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
        )
        model = client.meta.service_model

        def answer(request: AWSRequest, event_name: str, **_: Any) -> AWSResponse:
            operation = event_name.rpartition(".")[2]
            return self._answer(model.operation_model(operation), json.loads(request.body or b"{}"))

        client.meta.events.register(f"before-send.{model.service_id.hyphenize()}", answer)
        return client

    def times_asked(self, operation: str) -> int:
        return sum(name == operation for name, _ in self.asked)

    def _answer(self, operation: OperationModel, parameters: dict[str, Any]) -> AWSResponse:
        with self._one_by_one:
            return self._answer_alone(operation, parameters)

    def _answer_alone(self, operation: OperationModel, parameters: dict[str, Any]) -> AWSResponse:
        self.asked.append((operation.name, parameters))
        try:
            for number, (name, fault) in enumerate(self.faults):
                if name == operation.name:
                    del self.faults[number]
                    if isinstance(fault, Fault):
                        raise fault
                    fault()
                    break
            reply = getattr(self, _snake(operation.name))(**parameters)
            check_reply(operation, reply)
            return _response(200, reply)
        except Fault as fault:
            return _response(fault.status, {"__type": fault.code, "message": fault.message})


@functools.cache
def _session() -> boto3.Session:
    """One session: reading botocore's models is what takes time."""
    return boto3.Session(aws_access_key_id="tests", aws_secret_access_key="tests", region_name=REGION)


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _response(status: int, body: Mapping[str, Any]) -> AWSResponse:
    text = json.dumps(body, default=lambda value: value.timestamp())
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "of-the-fake"}
    return AWSResponse("https://fake.invalid/", status, headers, _Raw(text.encode()))  # type: ignore[arg-type]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
