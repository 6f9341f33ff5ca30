"""Decodes PostgreSQL's logical replication messages, column by column instead of row by row.

Messages stay in the one buffer they were received into; what is decoded are arrays of
positions in it. A value is first copied when a column's text is made, by Arrow. Rows are
never objects of Python, so the cost per change is that of a few array operations.

Source: PostgreSQL documentation, "Logical Replication Message Formats", protocol version 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.errors import OperatorError

HEADER_BYTES = 25
"""Before each message stands a letter, two LSNs and the server's clock."""

Positions = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

INSERT, UPDATE, DELETE, TRUNCATE = b"IUDT"
_BEGIN, _COMMIT, _RELATION, _ORIGIN, _TYPE = b"BCROY"
_NEW_ROW, _OLD_KEY, _OLD_ROW = b"NKO"
_NULL, _TEXT, _UNCHANGED = b"ntu"
_ROWS = np.array([INSERT, UPDATE, DELETE], dtype=np.uint8)
_KNOWN = np.array([*_ROWS, TRUNCATE, _BEGIN, _COMMIT, _RELATION, _ORIGIN, _TYPE], dtype=np.uint8)
_PADDING = bytes(8)
_IS_KEY = 1


class UnknownMessageError(OperatorError):
    """The source sent a replication message that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentColumn:
    """A column as the stream describes it."""

    name: str
    is_identity: bool
    """Part of the replica identity: what deletes and changes of the key carry of the old row."""
    type_oid: int
    typmod: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table's shape, as the stream describes it before the first row that has it."""

    oid: int
    schema: str
    name: str
    replica_identity: str
    """``d`` primary key, ``i`` an index, ``f`` the full row, ``n`` nothing."""
    columns: tuple[SentColumn, ...]

    @classmethod
    def parse(cls, message: bytes) -> Self:
        """Read an ``R`` message without its letter."""
        (oid,) = struct.unpack_from(">I", message)
        schema, name, rest = message[4:].split(b"\0", 2)
        identity, count = struct.unpack_from(">cH", rest)
        columns = []
        position = 3
        for _ in range(count):
            end = rest.index(b"\0", position + 1)
            type_oid, typmod = struct.unpack_from(">Ii", rest, end + 1)
            columns.append(
                SentColumn(
                    name=rest[position + 1 : end].decode(),
                    is_identity=bool(rest[position] & _IS_KEY),
                    type_oid=type_oid,
                    typmod=typmod,
                )
            )
            position = end + 9
        return cls(
            oid=oid,
            schema=schema.decode() or "pg_catalog",
            name=name.decode(),
            replica_identity=identity.decode(),
            columns=tuple(columns),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """The end of a transaction."""

    end_lsn: int
    committed_us: int
    """Microseconds since 2000-01-01 UTC, by the source's clock."""


class Frames:
    """Received messages, each with its header, in one buffer."""

    __slots__ = ("data", "starts")

    def __init__(self, data: bytes, starts: Positions) -> None:
        """Take a buffer that ends with padding (see `of`), and where each message starts in it."""
        self.data = data
        self.starts = starts

    @classmethod
    def of(cls, messages: Sequence[bytes | memoryview]) -> Self:
        """Put messages together."""
        lengths = np.fromiter(map(len, messages), dtype=np.int64, count=len(messages))
        return cls(b"".join((*messages, _PADDING)), np.cumsum(lengths) - lengths)

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.starts)

    @property
    def size_bytes(self) -> int:
        """Bytes of all messages."""
        return len(self.data) - len(_PADDING)

    @property
    def letters(self) -> Bytes:
        """What each message is."""
        return np.frombuffer(self.data, dtype=np.uint8)[self.starts + HEADER_BYTES]

    def commits(self) -> Positions:
        """Return the numbers of the messages that end a transaction."""
        return np.flatnonzero(self.letters == _COMMIT)

    def commit(self, number: int) -> Commit:
        """Read the end of a transaction, by its message's number."""
        end_lsn, committed_us = struct.unpack_from(">Qq", self.data, int(self.starts[number]) + HEADER_BYTES + 10)
        return Commit(end_lsn=end_lsn, committed_us=committed_us)

    def ends(self) -> tuple[NDArray[np.uint64], Positions]:
        """Return the end LSNs of the transactions that end here, and when they were committed (`Commit`)."""
        at = self.starts[self.commits()] + HEADER_BYTES + 10
        return read_unsigned(self.data, at, 8), read_unsigned(self.data, at + 8, 8).astype(np.int64)

    def split(self, count: int) -> tuple[Frames, Frames]:
        """Return the first ``count`` messages, and the others."""
        if count == len(self):
            return self, Frames(_PADDING, self.starts[:0])
        cut = int(self.starts[count])
        head = Frames(self.data[:cut] + _PADDING, self.starts[:count])
        return head, Frames(self.data[cut:], self.starts[count:] - cut)


def read_unsigned(data: bytes, positions: Positions, size_bytes: int) -> NDArray[np.uint64]:
    """Read a big-endian number at every position of a buffer."""
    numbers: NDArray[np.uint64] = np.ndarray(
        shape=(len(data) - size_bytes + 1,), dtype=f">u{size_bytes}", buffer=data, strides=(1,)
    )
    return numbers[positions].astype(np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """One column of some rows: where its texts are."""

    data: bytes
    starts: Positions
    """Ascending."""
    lengths: Positions
    is_text: Mask
    is_unchanged: Mask
    """The value was not sent, because it is large and as it was. What is neither is NULL."""

    def array(self) -> pa.Array:
        """Copy the texts into an Arrow array of strings; what is no text is null."""
        rows = len(self.starts)
        if not rows:
            return pa.array([], pa.string())
        # Over the whole buffer, texts alternate with what lies between them: Arrow copies every other.
        offsets = np.empty(2 * rows + 1, dtype=np.int32)
        offsets[0:-1:2] = self.starts
        offsets[1::2] = self.starts + self.lengths
        offsets[-1] = offsets[-2]
        valid = np.zeros(2 * rows, dtype=np.bool_)
        valid[::2] = self.is_text
        over_all = pa.StringArray.from_buffers(
            2 * rows,
            pa.py_buffer(offsets),
            pa.py_buffer(self.data),
            pa.py_buffer(np.packbits(valid, bitorder="little")),
        )
        return over_all.take(pa.array(np.arange(0, 2 * rows, 2, dtype=np.int32)))

    def only(self, rows: Mask | Positions) -> Values:
        """Return the column of some of the rows."""
        return Values(
            data=self.data,
            starts=self.starts[rows],
            lengths=self.lengths[rows],
            is_text=self.is_text[rows],
            is_unchanged=self.is_unchanged[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes of one table in one shape, in the order they were made."""

    relation: Relation
    letters: Bytes
    """`INSERT`, `UPDATE`, `DELETE` or `TRUNCATE`."""
    end_lsns: NDArray[np.uint64]
    """End of each change's transaction."""
    committed_us: Positions
    ordinals: Positions
    """Number of each change in its transaction, from 1, over all tables."""
    columns: tuple[Values, ...]
    """The new row; of a delete what was sent of the old one; of a truncate nothing but NULLs."""
    has_old: Mask
    """Updates that came with the old row or its key."""
    old_columns: tuple[Values, ...]
    """Of the rows that ``has_old`` marks."""

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.letters)

    def first(self, count: int) -> Changes:
        """Return the first ``count`` changes."""
        rows = np.arange(count)
        old_rows = np.arange(int(self.has_old[:count].sum()))
        return Changes(
            relation=self.relation,
            letters=self.letters[:count],
            end_lsns=self.end_lsns[:count],
            committed_us=self.committed_us[:count],
            ordinals=self.ordinals[:count],
            columns=tuple(values.only(rows) for values in self.columns),
            has_old=self.has_old[:count],
            old_columns=tuple(values.only(old_rows) for values in self.old_columns),
        )


@dataclass(slots=True)
class Decoder:
    """Decodes the messages of one connection, in the order received; it remembers the shapes of tables."""

    relations: dict[int, Relation] = field(default_factory=dict)
    """By oid: the shape sent last."""
    _ordinal: int = 0  # Changes decoded so far of the transaction that the last frames did not end.

    def decode(self, frames: Frames, *, after: int, unfinished: Commit | None = None) -> Iterator[Changes]:
        """Yield the changes, table by table; exhaust it before the next call.

        Args:
            frames: Whole transactions, or a piece of one.
            after: Transactions that ended here or earlier are left out.
            unfinished: The end of the transaction whose end these frames do not hold.

        Raises:
            UnknownMessageError: A message is none that was asked for.
        """
        if not len(frames):
            return
        batch = _Batch(frames, carried=self._ordinal, unfinished=unfinished)
        self._ordinal = batch.carry
        reshaped = self._read_relations(batch)
        for oid in batch.tables():
            shapes = reshaped.pop(oid, [])
            numbers, ordinals = batch.changes_of(oid, after)
            cuts = np.searchsorted(numbers, [number for number, _ in shapes])
            for relation, first, end in zip(self._shapes(oid, shapes), [0, *cuts], [*cuts, len(numbers)], strict=True):
                if first < end:
                    if relation is None:
                        raise UnknownMessageError("The source sent rows of a table it had not described.")
                    yield batch.changes(relation, numbers[first:end], ordinals[first:end])
            if shapes:
                self.relations[oid] = shapes[-1][1]
        for oid, shapes in reshaped.items():
            self.relations[oid] = shapes[-1][1]

    def _shapes(self, oid: int, reshaped: Sequence[tuple[int, Relation]]) -> list[Relation | None]:
        return [self.relations.get(oid), *(relation for _, relation in reshaped)]

    def _read_relations(self, batch: _Batch) -> dict[int, list[tuple[int, Relation]]]:
        """Return the shapes that differ from the ones before, by oid: number of the message, shape."""
        reshaped: dict[int, list[tuple[int, Relation]]] = {}
        for number in np.flatnonzero(batch.letters == _RELATION):
            relation = Relation.parse(batch.message(int(number)))
            shapes = reshaped.setdefault(relation.oid, [])
            if relation != (shapes[-1][1] if shapes else self.relations.get(relation.oid)):
                shapes.append((int(number), relation))
        return {oid: shapes for oid, shapes in reshaped.items() if shapes}


class _Batch:
    """What all tables' changes in some frames share."""

    def __init__(self, frames: Frames, *, carried: int, unfinished: Commit | None) -> None:
        self._frames = frames
        self._bytes: Bytes = np.frombuffer(frames.data, dtype=np.uint8)
        self._starts = frames.starts + HEADER_BYTES
        self.letters = self._bytes[self._starts]
        if not np.isin(self.letters, _KNOWN).all():
            unknown = {chr(letter) for letter in np.setdiff1d(self.letters, _KNOWN)}
            raise UnknownMessageError(f"The source sent replication messages of kind {', '.join(sorted(unknown))}.")
        self._is_row = np.isin(self.letters, _ROWS)
        self._oids = np.where(self._is_row, self._unsigned(self._starts + 1, 4), 0)
        self._truncates = {int(number): self._truncated(int(number)) for number in self._numbers_of(TRUNCATE)}

        commits = frames.commits()
        self._end_lsns, self._committed_us = frames.ends()
        if unfinished is not None:
            self._end_lsns = np.append(self._end_lsns, np.uint64(unfinished.end_lsn))
            self._committed_us = np.append(self._committed_us, np.int64(unfinished.committed_us))
        self._transactions = np.searchsorted(commits, np.arange(len(frames)))

        weights = self._is_row.astype(np.int64)
        for number, oids in self._truncates.items():
            weights[number] = len(oids)
        self._counts = np.cumsum(weights)
        self._before = np.concatenate(([-carried], self._counts[commits]))
        self.carry = int(self._counts[-1] - self._before[-1])

    def tables(self) -> list[int]:
        """Return the oids of tables that have changes here."""
        named = {oid for oids in self._truncates.values() for oid in oids}
        return sorted(named.union(map(int, np.unique(self._oids[self._is_row]))))

    def message(self, number: int) -> bytes:
        """Return a message without its letter."""
        ends = np.append(self._frames.starts[1:], self._frames.size_bytes)
        return self._frames.data[int(self._starts[number]) + 1 : int(ends[number])]

    def changes_of(self, oid: int, after: int) -> tuple[Positions, Positions]:
        """Return the numbers and ordinals of the messages that change a table, in order."""
        numbers = np.flatnonzero(self._oids == oid)
        ordinals = self._counts[numbers] - self._before[self._transactions[numbers]]
        for number, oids in self._truncates.items():
            if oid in oids:
                place = int(np.searchsorted(numbers, number))
                last = int(self._counts[number] - self._before[self._transactions[number]])
                numbers = np.insert(numbers, place, number)
                ordinals = np.insert(ordinals, place, last - len(oids) + 1 + oids.index(oid))
        is_wanted = self._end_lsns[self._transactions[numbers]] > after
        return numbers[is_wanted], ordinals[is_wanted]

    def changes(self, relation: Relation, numbers: Positions, ordinals: Positions) -> Changes:
        letters = self.letters[numbers]
        starts = self._starts[numbers] + 5
        images = self._bytes[starts]
        width = len(relation.columns)
        has_old = (letters == UPDATE) & np.isin(images, (_OLD_KEY, _OLD_ROW))
        old, ends = self._walk(starts[has_old], width)
        new_starts = starts.copy()
        new_starts[has_old] = ends
        is_delete, is_truncate = letters == DELETE, letters == TRUNCATE
        expected = np.where(is_delete, (images == _OLD_KEY) | (images == _OLD_ROW), self._bytes[new_starts] == _NEW_ROW)
        if not (expected | is_truncate).all():
            raise UnknownMessageError(f"The source sent a change of {relation.schema}.{relation.name} of another form.")
        columns, _ = self._walk(new_starts, width, is_empty=is_truncate)
        return Changes(
            relation=relation,
            letters=letters,
            end_lsns=self._end_lsns[self._transactions[numbers]],
            committed_us=self._committed_us[self._transactions[numbers]],
            ordinals=ordinals,
            columns=columns,
            has_old=has_old,
            old_columns=old,
        )

    def _walk(
        self, starts: Positions, width: int, *, is_empty: Mask | None = None
    ) -> tuple[tuple[Values, ...], Positions]:
        """Step through rows' columns, all rows at once, from the letter that begins the row.

        Returns:
            The columns, and where each row ends.

        Raises:
            UnknownMessageError: A row has another number of columns, or a value of unknown form.
        """
        has_values = np.ones(len(starts), dtype=np.bool_) if is_empty is None else ~is_empty
        if (self._unsigned(starts + 1, 2)[has_values] != width).any():
            raise UnknownMessageError("The source sent a row with another number of columns than it had announced.")
        at = starts + 3
        columns = []
        for _ in range(width):
            kinds = np.where(has_values, self._bytes[np.where(has_values, at, 0)], _NULL)
            is_text, is_unchanged = kinds == _TEXT, kinds == _UNCHANGED
            if not (is_text | is_unchanged | (kinds == _NULL)).all():
                raise UnknownMessageError("The source sent a value that is not text.")
            # Past the last value of the last message there is padding, so that reading a length never fails.
            lengths = np.where(is_text, self._unsigned(np.where(is_text, at + 1, 0), 4), 0).astype(np.int64)
            first = at + np.where(is_text, 5, 1) * has_values
            columns.append(
                Values(
                    data=self._frames.data, starts=first, lengths=lengths, is_text=is_text, is_unchanged=is_unchanged
                )
            )
            at = first + lengths
        return tuple(columns), at

    def _unsigned(self, positions: Positions, size_bytes: int) -> Positions:
        return read_unsigned(self._frames.data, positions, size_bytes).astype(np.int64)

    def _numbers_of(self, letter: int) -> Positions:
        return np.flatnonzero(self.letters == letter)

    def _truncated(self, number: int) -> list[int]:
        """Return the oids of a truncate."""
        message = self.message(number)
        (count,) = struct.unpack_from(">I", message)
        return list(struct.unpack_from(f">{count}I", message, 5))
