"""One suite for every `ObjectStore`: a directory, S3 (moto's server on loopback), and the tests' fake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import NoRegionError

from etl.bronze.directory import DirectoryStore
from etl.errors import LakehouseError
from etl.ports.object_store import (
    ObjectExistsError,
    ObjectInfo,
    ObjectMissingError,
    ObjectStore,
    StoreFullError,
    StoreUnavailableError,
)
from lakehouse_admin.adapters.aws.clients import AwsClients
from lakehouse_admin.adapters.aws.errors import (
    CredentialsError,
    PermissionDeniedError,
    WrongRegionError,
    aws_errors,
)
from lakehouse_admin.adapters.aws.object_store import BucketMissingError, S3Store
from tests.aws.service import _Raw
from tests.fakes import FakeStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.integration

LARGE = random.Random(1).randbytes(20 * 1024 * 1024)
"""Larger than two parts of a multipart upload."""


def s3_client(endpoint: str) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="tests",
        aws_secret_access_key="tests",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10),
    )


@pytest.fixture(params=["fake", "directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "fake":
        yield FakeStore()
    elif request.param == "directory":
        yield DirectoryStore(tmp_path / "bronze")
    else:
        client = s3_client(request.getfixturevalue("aws_endpoint"))
        bucket = f"bucket-{random.SystemRandom().getrandbits(64):x}"
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield S3Store(client, bucket=bucket, prefix="lake/bronze")
        client.close()


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_a_listing_begins_after_a_key(store: ObjectStore):
    for key in ("a/1", "a/2", "a-b/1", "a/b/1", "a/b/2", "b/1", "c"):
        store.put(key, b"x")
    every = keys(store, "")
    assert every == sorted(every)
    for after in ("", "a", "a/", "a/1", "a/1x", "a/2", "a/b", "a/b/", "a/b/1", "a-b", "a-c", "a0", "b/1", "c", "d"):
        for prefix in ("", "a", "a/", "a/b/", "b"):
            found = [info.key for info in store.list(prefix, after=after)]
            assert found == [key for key in every if key.startswith(prefix) and key > after], (prefix, after)


def test_what_was_put_is_got(store: ObjectStore):
    store.put("public/orders/a.json", b"body")
    store.put("empty", b"")
    assert store.get("public/orders/a.json") == b"body"
    assert store.get("empty") == b""


def test_putting_the_same_again_changes_nothing(store: ObjectStore):
    store.put("key", b"body")
    store.put("key", b"body")
    assert keys(store) == ["key"]


def test_another_body_is_refused_and_the_first_one_stays(store: ObjectStore):
    store.put("key", b"body")
    with pytest.raises(ObjectExistsError):
        store.put("key", b"another")
    assert store.get("key") == b"body"


@pytest.mark.parametrize("body", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_what_was_written_in_pieces_is_read_in_pieces(store: ObjectStore, body: bytes):
    with store.writer("public/orders/data") as file:
        for start in range(0, len(body), 999_983):
            piece = body[start : start + 999_983]
            assert file.write(piece) == len(piece)
    pieces = []
    with store.reader("public/orders/data") as file:
        while piece := file.read(300_007):
            assert len(piece) <= 300_007
            pieces.append(piece)
    assert b"".join(pieces) == body
    assert list(store.list("")) == [ObjectInfo(key="public/orders/data", size_bytes=len(body))]


def test_an_object_appears_when_its_block_ends_and_not_before(store: ObjectStore):
    with store.writer("key") as file:
        file.write(LARGE)
        assert keys(store) == []
        with pytest.raises(ObjectMissingError):
            store.get("key")
    assert keys(store) == ["key"]


@pytest.mark.parametrize("written", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_an_object_whose_block_raises_never_appears_and_the_key_stays_free(store: ObjectStore, written: bytes):
    with pytest.raises(KeyError, match="from within"), store.writer("key") as file:  # noqa: PT012
        file.write(written)
        raise KeyError("from within")
    assert keys(store) == []
    store.put("key", b"body")
    assert store.get("key") == b"body"


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_writer_does_not_take_a_key_that_is_taken(store: ObjectStore, body: bytes):
    store.put("key", b"first")
    with pytest.raises(ObjectExistsError), store.writer("key") as file:
        file.write(body)
    assert store.get("key") == b"first"


@pytest.mark.parametrize("body", [b"second", LARGE], ids=["small", "large"])
def test_of_two_writers_at_once_the_first_to_end_wins(store: ObjectStore, body: bytes):
    if isinstance(store, FakeStore):
        pytest.skip("the fake has one writer at a time")
    with pytest.raises(ObjectExistsError), store.writer("key") as late:  # noqa: PT012
        late.write(body)
        store.put("key", b"first")
    assert store.get("key") == b"first"
    assert keys(store) == ["key"]


def test_a_missing_object_is_missing_to_all_who_ask(store: ObjectStore):
    store.put("public/orders/a", b"")
    for key in ("nowhere", "public", "public/orders", "public/orders/a/b"):
        with pytest.raises(ObjectMissingError):
            store.get(key)
        with pytest.raises(ObjectMissingError), store.reader(key):
            pass


def test_a_listing_is_in_key_order_and_follows_the_prefix_letter_by_letter(store: ObjectStore):
    names = ["a/b/c", "a/b-c", "a/b", "a-b/c", "a0", "b", "a/bb/c"]
    names.remove("a/b")  # a directory cannot hold both a/b and a/b/c
    for name in names:
        store.put(name, name.encode())
    assert keys(store) == sorted(names)
    for prefix in ("a", "a/", "a/b", "a/b/", "a/b/c", "a/b/c/", "a-", "x", "b", "a/b/cc"):
        assert keys(store, prefix) == sorted(name for name in names if name.startswith(prefix))


def test_a_listing_is_complete_beyond_one_page(store: ObjectStore):
    names = [f"orders/{number:05d}" for number in range(1_050)]
    for name in names:
        store.put(name, b"")
    assert keys(store, "orders/") == names


def test_deleting_removes_and_repeating_it_is_fine(store: ObjectStore):
    store.put("a/b", b"1")
    store.put("a/c", b"2")
    store.delete("a/b")
    store.delete("a/b")
    store.delete("never/was")
    assert keys(store) == ["a/c"]
    store.put("a/b", b"3")
    assert store.get("a/b") == b"3"


def test_odd_names_are_kept_apart(store: ObjectStore):
    names = ["a b", "a%20b", "a+b", "ä/ö", "'quoted'", "[x]*?"]
    for name in names:
        store.put(name, name.encode())
    assert keys(store) == sorted(names, key=str.encode)
    assert all(store.get(name) == name.encode() for name in names)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a\0b"])
def test_a_key_that_could_leave_the_store_is_refused(store: ObjectStore, key: str):
    if isinstance(store, FakeStore):
        pytest.skip("a dictionary has no outside")
    for act in (store.get, store.delete, store.uri, lambda key: store.put(key, b"")):
        with pytest.raises(ValueError, match="not an object key"):
            act(key)


def test_writers_at_the_same_time_do_not_meet(store: ObjectStore):
    def write(number: int) -> None:
        with store.writer(f"data/{number}") as file:
            for _ in range(50):
                file.write(bytes([number]) * 10_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert [store.get(f"data/{number}") for number in range(8)] == [bytes([number]) * 500_000 for number in range(8)]


def test_s3_that_does_not_answer_is_unavailable():
    client = s3_client("http://127.0.0.1:9")
    store = S3Store(client, bucket="bucket")
    for act in (
        lambda: store.get("a"),
        lambda: store.put("a", b""),
        lambda: list(store.list("")),
        lambda: store.delete("a"),
    ):
        with pytest.raises(StoreUnavailableError):
            act()
    with pytest.raises(StoreUnavailableError), store.writer("a") as file:
        file.write(LARGE)
    client.close()


def test_s3_without_its_bucket_is_missing_not_empty(aws_endpoint: str):
    client = s3_client(aws_endpoint)
    with pytest.raises(BucketMissingError, match="no-such-bucket"):
        list(S3Store(client, bucket="no-such-bucket").list(""))
    client.close()


def test_an_unfinished_upload_is_given_back(aws_endpoint: str):
    client = s3_client(aws_endpoint)
    client.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    with pytest.raises(KeyError), S3Store(client, bucket="uploads").writer("a") as file:  # noqa: PT012
        file.write(LARGE)
        raise KeyError
    assert "Uploads" not in client.list_multipart_uploads(Bucket="uploads")
    client.close()


def test_addresses_name_the_object(tmp_path: Path):
    assert DirectoryStore(tmp_path).uri("a/b c") == f"{tmp_path}/a/b c"
    client = s3_client("http://127.0.0.1:9")
    assert S3Store(client, bucket="bucket", prefix="/lake/").uri("a/b") == "s3://bucket/lake/a/b"
    assert S3Store(client, bucket="bucket").uri("a/b") == "s3://bucket/a/b"
    client.close()


class TestS3:
    """What S3 is told with every request, and what it refuses."""

    @pytest.fixture
    def client(self) -> Iterator[S3Client]:
        client = s3_client("http://127.0.0.1:1")
        yield client
        client.close()

    def test_every_request_names_the_bucket_and_its_owner(self, aws_endpoint: str):
        client = s3_client(aws_endpoint)
        client.create_bucket(Bucket="owned", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        seen: list[dict[str, Any]] = []
        client.meta.events.register("provide-client-params.s3", lambda params, **_: seen.append(params))
        store = S3Store(client, bucket="owned", account="123456789012", kms_key="alias/lakeside")
        store.put("small", b"body")
        with store.writer("large") as file:
            file.write(LARGE)
        with pytest.raises(KeyError), store.writer("given up") as file:  # noqa: PT012 - given up half-way
            file.write(LARGE)
            raise KeyError
        store.get("small")
        list(store.list(""))
        store.delete("small")
        assert len(seen) > 10
        assert all(asked["ExpectedBucketOwner"] == "123456789012" for asked in seen)
        begun = [asked for asked in seen if "IfNoneMatch" in asked and "MultipartUpload" not in asked]
        assert all(asked["SSEKMSKeyId"] == "alias/lakeside" and asked["BucketKeyEnabled"] for asked in begun)
        assert client.head_object(Bucket="owned", Key="large")["ServerSideEncryption"] == "aws:kms"
        client.close()

    @pytest.mark.parametrize(
        ("code", "status", "expected"),
        [
            ("AccessDenied", 403, PermissionDeniedError),  # Also what S3 says of a bucket that is not ours.
            ("InvalidAccessKeyId", 403, CredentialsError),
            ("ExpiredToken", 400, CredentialsError),
            ("AuthorizationHeaderMalformed", 400, WrongRegionError),
            ("SlowDown", 503, StoreUnavailableError),
            ("InternalError", 500, StoreUnavailableError),
            ("NoSuchBucket", 404, BucketMissingError),
            ("QuotaExceeded", 507, StoreFullError),
        ],
    )
    def test_what_s3_refuses_is_told_apart(
        self, client: S3Client, code: str, status: int, expected: type[LakehouseError]
    ):
        body = f"<Error><Code>{code}</Code><Message>Because of the script.</Message></Error>".encode()

        def answer(**_: Any) -> AWSResponse:
            return AWSResponse("http://127.0.0.1", status, {}, _Raw(body))  # type: ignore[arg-type]

        client.meta.events.register("before-send.s3", answer)
        store = S3Store(client, bucket="bucket", account="123456789012")
        for ask in (lambda: store.get("key"), lambda: list(store.list("")), lambda: store.put("key", b"")):
            with pytest.raises(expected) as caught:
                ask()
            assert caught.value.guidance
        with pytest.raises(expected), store.writer("key") as file:
            file.write(b"half")

    def test_nobody_answering_is_unavailable(self, client: S3Client):
        with pytest.raises(StoreUnavailableError, match="did not answer"):
            S3Store(client, bucket="bucket").get("key")

    def test_no_credentials_are_a_persons_to_give(self, monkeypatch: pytest.MonkeyPatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        client = AwsClients(region="eu-central-1", endpoint="http://127.0.0.1:1").s3
        with pytest.raises(CredentialsError, match="no usable AWS credentials"):
            S3Store(client, bucket="bucket").get("key")
        client.close()

    def test_a_region_that_is_none_is_named(self):
        with pytest.raises(WrongRegionError), aws_errors("S3", unavailable=StoreUnavailableError):
            raise NoRegionError
