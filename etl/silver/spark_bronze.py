"""Bronze files as Spark reads them: verified where they lie, every column as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn

from etl.bronze.manifest import FileManifest
from etl.bronze.reader import MAX_ROW_BYTES, BronzeDamagedError
from etl.contracts.table import TableContract
from etl.engine.spark import spark_errors
from etl.engine.spark_sql import quoted
from etl.ports.object_store import ObjectMissingError, ObjectStore

FILE_COLUMN = "filename"
"""Address of a row's file as `ObjectStore.uri` gives it."""

ROW_COLUMN = "row\n"
"""Number of a row in its file, from 1."""

_NEVER = "\u0001"
"""A null marker that no file has: what stands unquoted and empty is NULL by itself."""


def verify(session: SparkSession, store: ObjectStore, files: Sequence[FileManifest]) -> None:
    """Check that every file there is, byte for byte, is what was written: side by side, where Spark's workers are.

    Raises:
        ObjectMissingError: A file is gone.
        BronzeDamagedError: A file is damaged, cut short, grown, or another's.
    """
    if not files:
        return
    uris = [store.uri(file.key) for file in files]
    content = session.read.format("binaryFile").load(uris)
    try:
        with spark_errors():
            found = content.select("path", "length", fn.sha2("content", 256).alias("sha256")).collect()
    except Exception as error:
        missing = [file.key for file in files if not _exists(session, store.uri(file.key))]
        if missing:
            raise ObjectMissingError(f"{missing[0]} is gone from bronze") from error
        raise
    by_place = {place(row.path): row for row in found}
    for file in files:
        row = by_place[place(store.uri(file.key))]
        if row.length != file.size_bytes:
            raise BronzeDamagedError(f"{file.key} has {row.length} bytes, but {file.size_bytes} were written.")
        if row.sha256 != file.sha256:
            raise BronzeDamagedError(f"{file.key} is damaged: its sha256 is not the one that was written.")


def bronze_rows(
    session: SparkSession, store: ObjectStore, files: Sequence[FileManifest], names: Sequence[str]
) -> DataFrame:
    """Return the files' rows: ``names`` as text, in the files' order, then `FILE_COLUMN` and `ROW_COLUMN`.

    Unquoted empty text is NULL, ``""`` is the empty text. A file is read by one worker.

    Args:
        session: Spark's.
        store: Bronze.
        files: At least one.
        names: The files' header.
    """
    by_marker: dict[str, list[FileManifest]] = {}
    for file in files:
        by_marker.setdefault(file.null_marker, []).append(file)
    parts = [_rows(session, store, part, names, marker) for marker, part in by_marker.items()]
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.unionByName(part)
    return rows


def rows_by_file(counts: Mapping[str, int], store: ObjectStore, files: Sequence[FileManifest]) -> dict[str, int]:
    """Return counts by the addresses that the store gives, from counts by those that Spark gives."""
    by_place = {place(name): rows for name, rows in counts.items()}
    return {store.uri(file.key): by_place.get(place(store.uri(file.key)), 0) for file in files}


def place(uri: str) -> str:
    """Return one spelling of a file's address; Spark has many: ``file:///a%20b``, ``file:/a b``, ``/a b``."""
    scheme, separator, rest = uri.partition(":")
    if separator and scheme in {"file", "s3", "s3a", "s3n", "hdfs"}:
        bucket = urlsplit(uri).netloc
        return f"{bucket}{unquote(rest.removeprefix(f'//{bucket}'))}"
    return uri


@contextmanager
def readable(contract: TableContract) -> Iterator[None]:
    """Turn Spark's refusal to read a file as CSV into ours, without the row it shows.

    Raises:
        BronzeDamagedError: A file is not CSV of the table's shape, although it is whole.
    """
    try:
        yield
    except (Py4JJavaError, PySparkException) as error:
        text = str(error)
        if any(name in text for name in ("MALFORMED", "FAILFAST", "TextParsing", "ZipException", "EOFException")):
            problem = f"{contract.table} cannot be read from bronze: a file is no CSV of its shape"
            raise BronzeDamagedError(problem) from None
        raise


def _rows(
    session: SparkSession, store: ObjectStore, files: Sequence[FileManifest], names: Sequence[str], null_marker: str
) -> DataFrame:
    reader = session.read.schema(", ".join(f"{quoted(name)} STRING" for name in names)).options(
        header=True,
        enforceSchema=False,  # A header that is not the contract's is an error, not a guess.
        multiLine=True,
        quote='"',
        escape='"',
        nullValue=null_marker or _NEVER,
        emptyValue="",
        lineSep="\n",
        mode="FAILFAST",
        maxCharsPerColumn=MAX_ROW_BYTES,
        encoding="UTF-8",
    )
    rows = reader.csv([store.uri(file.key) for file in files])
    number = fn.monotonically_increasing_id().bitwiseAND(fn.lit(2**33 - 1)) + 1
    return rows.select("*", fn.col("_metadata.file_path").alias(FILE_COLUMN), number.alias(ROW_COLUMN))


def _exists(session: SparkSession, uri: str) -> bool:
    jvm = session._jvm  # noqa: SLF001 - Spark's own way to Hadoop's file systems
    path = jvm.org.apache.hadoop.fs.Path(uri)
    return bool(path.getFileSystem(session._jsc.hadoopConfiguration()).exists(path))  # noqa: SLF001
