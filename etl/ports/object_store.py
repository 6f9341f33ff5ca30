"""Port: where bronze files and manifests live. A directory, or S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, ClassVar, Protocol

from etl.errors import OperatorError, TransientError


class ObjectMissingError(OperatorError):
    """The object does not exist."""

    guidance: ClassVar[str] = "Something removed a file of the lake: restore it from backup, or run a full load."


class ObjectExistsError(OperatorError):
    """An object with this key exists already, and bronze never overwrites."""

    guidance: ClassVar[str] = "Two writers share one bronze folder: stop one of them."


class StoreFullError(OperatorError):
    """The store has no room left."""

    guidance: ClassVar[str] = "Free disk space or raise the quota, then retry the run; nothing was half-written."


class StoreUnavailableError(TransientError):
    """The store did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """What a listing tells about one object."""

    key: str
    size_bytes: int
    written_at: datetime | None = field(default=None, compare=False)
    """When it appeared; None where the store does not say."""


class ObjectStore(Protocol):
    """Keys are relative, ``/``-separated, without ``..``; objects appear whole or not at all."""

    def put(self, key: str, body: bytes) -> None:
        """Store a small object, durably and atomically.

        Before: nothing under ``key``. After: the object, or nothing. Repeating with the
        same body succeeds without effect.

        Raises:
            ObjectExistsError: Another body is stored under ``key``.
            StoreFullError: No room.
            StoreUnavailableError: No answer.
        """

    def writer(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Stream a large object: it appears, durable, when the block ends; never if the block raises.

        Raises:
            ObjectExistsError: ``key`` is taken.
            StoreFullError: No room.
            StoreUnavailableError: No answer.
        """

    def get(self, key: str) -> bytes:
        """Return a whole small object.

        Raises:
            ObjectMissingError: There is none.
            StoreUnavailableError: No answer.
        """

    def reader(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open an object for streaming.

        Raises:
            ObjectMissingError: There is none.
            StoreUnavailableError: No answer.
        """

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with ``prefix`` and is greater than ``after``, in key order.

        What comes before ``after`` costs next to nothing: a reader of a log asks so for what is new.

        Raises:
            StoreUnavailableError: No answer.
        """

    def delete(self, key: str) -> None:
        """Remove an object; absent is fine.

        Raises:
            StoreUnavailableError: No answer.
        """

    def uri(self, key: str) -> str:
        """Return the address an engine reads the object by: a path, or ``s3://bucket/key``."""
