"""The aws `ObjectStore`: one prefix of an S3 bucket.

Objects are written with ``If-None-Match: *``, so S3 itself refuses to overwrite; large
ones go up in parts and appear when the last step completes them. Every request names the
account that must own the bucket: a bucket of somebody else's that has, or gets, the same
name is refused by S3 before anything is read from it or written to it.

Source: Amazon S3 user guide, "Conditional writes", "Multipart upload limits", "Verifying
bucket ownership with bucket owner condition".
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal, NotRequired, TypedDict, cast

from botocore.exceptions import BotoCoreError, ClientError

from etl.errors import OperatorError
from etl.ports.object_store import (
    ObjectExistsError,
    ObjectInfo,
    ObjectMissingError,
    StoreFullError,
    StoreUnavailableError,
)
from lakehouse_admin.adapters.aws.errors import aws_errors, code_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

_PART_BYTES = 8 * 1024 * 1024  # S3 wants at least 5 MiB and at most 10,000 parts: 78 GiB an object.
_ABSENT = {"NoSuchKey", "404"}
_NO_BUCKET = "NoSuchBucket"
_TAKEN = {"PreconditionFailed", "412"}
_NO_ROOM = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"}


class BucketMissingError(OperatorError):
    """The bucket does not exist."""

    guidance: ClassVar[str] = "Correct the bucket in LAKEHOUSE_LAKE_URI, or make it: infra/terraform does."


class Owner(TypedDict):
    """Goes with every request."""

    ExpectedBucketOwner: NotRequired[str]


class Encryption(TypedDict):
    """Goes with every request that begins an object; the bucket's default encryption where empty."""

    ServerSideEncryption: NotRequired[Literal["aws:kms"]]
    SSEKMSKeyId: NotRequired[str]
    BucketKeyEnabled: NotRequired[bool]


class S3Store:
    """Objects below ``s3://bucket/prefix``."""

    def __init__(
        self,
        client: S3Client,
        *,
        bucket: str,
        prefix: str = "",
        account: str | None = None,
        kms_key: str | None = None,
    ) -> None:
        """Remember where; nothing is read or written yet.

        Args:
            client: boto3's S3 client, with credentials and endpoint.
            bucket: Name of an existing bucket.
            prefix: Put before every key, with a slash between; empty for the whole bucket.
            account: The AWS account that must own the bucket; None does without the check.
            kms_key: Key that encrypts every object; None leaves it to the bucket's default.
        """
        self._client = client
        self._owner = Owner(ExpectedBucketOwner=account) if account else Owner()
        self._encryption = (
            # A bucket key spares one request to KMS for every object.
            Encryption(ServerSideEncryption="aws:kms", SSEKMSKeyId=kms_key, BucketKeyEnabled=True)
            if kms_key
            else Encryption()
        )
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def put(self, key: str, body: bytes) -> None:
        """Store a small object; see `ObjectStore.put`."""
        try:
            self._put(key, body)
        except ObjectExistsError:
            if self.get(key) != body:
                raise

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        """Stream a large object; see `ObjectStore.writer`."""
        if self._exists(key):
            raise ObjectExistsError(f"{key} exists already; bronze never overwrites")
        upload = _Upload(
            self._client, self._bucket, self._name(key), key=key, owner=self._owner, encryption=self._encryption
        )
        try:
            yield cast("BinaryIO", upload)
            if upload.is_small:
                self._put(key, upload.pending)
            else:
                upload.complete()
        except BaseException:
            upload.abort()
            raise

    def get(self, key: str) -> bytes:
        """Return a whole small object; see `ObjectStore.get`."""
        with self.reader(key) as file:
            return file.read()

    @contextmanager
    def reader(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for streaming; see `ObjectStore.reader`."""
        name = self._name(key)
        with _translated(key):
            body = self._client.get_object(Bucket=self._bucket, Key=name, **self._owner)["Body"]
        with body:
            yield cast("BinaryIO", _Download(body, key))

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in key order; see `ObjectStore.list`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + prefix,
            StartAfter=self._prefix + after,
            **self._owner,
        )
        with _translated(prefix):
            for page in pages:
                for entry in page.get("Contents", []):
                    yield ObjectInfo(
                        key=entry["Key"].removeprefix(self._prefix),
                        size_bytes=entry["Size"],
                        written_at=entry["LastModified"],
                    )

    def delete(self, key: str) -> None:
        """Remove an object; see `ObjectStore.delete`."""
        name = self._name(key)
        with _translated(key):
            self._client.delete_object(Bucket=self._bucket, Key=name, **self._owner)

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/prefix/key``."""
        return f"s3://{self._bucket}/{self._name(key)}"

    def _name(self, key: str) -> str:
        """Return the full object name of a key.

        Raises:
            ValueError: The key is not one that every store can hold.
        """
        if any(segment in {"", ".", ".."} or "\0" in segment for segment in key.split("/")):
            raise ValueError(f"{key!r} is not an object key")
        return self._prefix + key

    def _exists(self, key: str) -> bool:
        name = self._name(key)
        try:
            with _translated(key):
                self._client.head_object(Bucket=self._bucket, Key=name, **self._owner)
        except ObjectMissingError:
            return False
        return True

    def _put(self, key: str, body: bytes) -> None:
        name = self._name(key)
        with _translated(key):
            self._client.put_object(
                Bucket=self._bucket, Key=name, Body=body, IfNoneMatch="*", **self._owner, **self._encryption
            )


class _Upload(io.RawIOBase):
    """Collects parts; starts a multipart upload only once there is more than one."""

    def __init__(
        self, client: S3Client, bucket: str, name: str, *, key: str, owner: Owner, encryption: Encryption
    ) -> None:
        super().__init__()
        self._client = client
        self._owner = owner
        self._encryption = encryption
        self._bucket = bucket
        self._name = name
        self._key = key
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self._buffer += data
        while len(self._buffer) >= _PART_BYTES:
            self._send(bytes(self._buffer[:_PART_BYTES]))
            del self._buffer[:_PART_BYTES]
        return len(memoryview(data).cast("B"))

    @property
    def is_small(self) -> bool:
        """Whether nothing was sent yet, so that one plain put will do."""
        return self._upload_id is None

    @property
    def pending(self) -> bytes:
        """What was written and not sent."""
        return bytes(self._buffer)

    def complete(self) -> None:
        """Send the rest and make the object appear."""
        if self._buffer:
            self._send(self.pending)
        assert self._upload_id is not None
        parts: Sequence[CompletedPartTypeDef] = self._parts
        with _translated(self._key):
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
                **self._owner,
            )

    def abort(self) -> None:
        """Give the parts back; a lifecycle rule of the bucket ends what cannot be reached now."""
        if self._upload_id is None:
            return
        try:
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=self._name, UploadId=self._upload_id, **self._owner
            )
        except (ClientError, BotoCoreError):
            return

    def _send(self, part: bytes) -> None:
        with _translated(self._key):
            if self._upload_id is None:
                started = self._client.create_multipart_upload(
                    Bucket=self._bucket, Key=self._name, **self._owner, **self._encryption
                )
                self._upload_id = started["UploadId"]
            number = len(self._parts) + 1
            sent = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._name,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=part,
                **self._owner,
            )
            self._parts.append({"ETag": sent["ETag"], "PartNumber": number})


class _Download(io.RawIOBase):
    """A body whose failures are the port's errors."""

    def __init__(self, body: StreamingBody, key: str) -> None:
        super().__init__()
        self._body = body
        self._key = key

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        with _translated(self._key):
            return self._body.read(None if size < 0 else size)


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn botocore's errors into the port's."""
    with aws_errors(f"{key} cannot be reached", unavailable=StoreUnavailableError):
        try:
            yield
        except ClientError as error:
            _raise_ours(error, key)
            raise


def _raise_ours(error: ClientError, key: str) -> None:
    """Raise the port's error for what only S3 says; return for any other."""
    code = code_of(error)
    if code in _ABSENT:
        raise ObjectMissingError(f"{key} is not in the lake") from error
    if code in _TAKEN:
        raise ObjectExistsError(f"{key} exists already; bronze never overwrites") from error
    if code in _NO_ROOM:
        raise StoreFullError(f"No room left for {key}: {code}") from error
    if code == _NO_BUCKET:
        bucket = error.response.get("Error", {}).get("BucketName", "")
        raise BucketMissingError(f"There is no bucket {bucket}".rstrip() + ".") from error
