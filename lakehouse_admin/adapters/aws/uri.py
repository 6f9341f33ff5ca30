"""Addresses on S3."""

from __future__ import annotations


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of ``s3://bucket/prefix``, the prefix without slashes around.

    Raises:
        ValueError: It is no such address.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ValueError(f"{uri!r} is not an address on S3")
    return bucket, prefix.strip("/")
