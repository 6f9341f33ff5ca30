"""Column by column says what message by message does, however the stream is cut."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.replicate.pgoutput import Changes, Commit, Decoder, Frames, Relation, SentColumn, UnknownMessageError
from etl.replicate.spool import Spool

HEADER = b"w" + struct.pack(">QQq", 1, 2, 3)
UNCHANGED = object()


@dataclass(frozen=True)
class Change:
    """What one message says of one table."""

    oid: int
    columns: tuple[str, ...]
    op: str
    end_lsn: int
    committed_us: int
    ordinal: int
    row: tuple[object, ...]
    old: tuple[object, ...] | None


# --- A source: writes messages as PostgreSQL does.


def begin(end_lsn: int) -> bytes:
    return b"B" + struct.pack(">QqI", end_lsn - 8, 0, 1)


def commit(end_lsn: int, committed_us: int) -> bytes:
    return b"C" + struct.pack(">BQQq", 0, end_lsn - 8, end_lsn, committed_us)


def relation(oid: int, columns: Sequence[str]) -> bytes:
    described = b"".join(b"\1" + name.encode() + b"\0" + struct.pack(">Ii", 25, -1) for name in columns)
    return b"R" + struct.pack(">I", oid) + b"public\0t%d\0d" % oid + struct.pack(">H", len(columns)) + described


def row(letter: bytes, values: Sequence[object]) -> bytes:
    parts = [letter, struct.pack(">H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif value is UNCHANGED:
            parts.append(b"u")
        else:
            text = str(value).encode()
            parts.append(b"t" + struct.pack(">I", len(text)) + text)
    return b"".join(parts)


def truncate(oids: Sequence[int]) -> bytes:
    return b"T" + struct.pack(f">IB{len(oids)}I", len(oids), 0, *oids)


# --- The reference: reads them one after another, as the documentation says.


@dataclass
class Reference:
    shapes: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def read(self, messages: Sequence[bytes]) -> Iterator[Change]:
        waiting: list[tuple[int, tuple[str, ...], str, tuple[object, ...], tuple[object, ...] | None]] = []
        for message in messages:
            letter, body = message[:1].decode(), message[1:]
            if letter == "R":
                self._describe(body)
            elif letter in "IUD":
                waiting.append(self._row(letter, body))
            elif letter == "T":
                (count,) = struct.unpack_from(">I", body)
                for oid in struct.unpack_from(f">{count}I", body, 5):
                    shape = self.shapes[oid]
                    waiting.append((oid, shape, "T", (None,) * len(shape), None))
            elif letter == "C":
                end_lsn, committed_us = struct.unpack_from(">Qq", body, 9)
                for ordinal, (oid, shape, op, values, old) in enumerate(waiting, start=1):
                    yield Change(oid, shape, op, end_lsn, committed_us, ordinal, values, old)
                waiting.clear()

    def _describe(self, body: bytes) -> None:
        (oid,) = struct.unpack_from(">I", body)
        _, _, rest = body[4:].split(b"\0", 2)
        (count,) = struct.unpack_from(">H", rest, 1)
        position, names = 3, []
        for _ in range(count):
            end = rest.index(b"\0", position + 1)
            names.append(rest[position + 1 : end].decode())
            position = end + 9
        self.shapes[oid] = tuple(names)

    def _row(
        self, letter: str, body: bytes
    ) -> tuple[int, tuple[str, ...], str, tuple[object, ...], tuple[object, ...] | None]:
        (oid,) = struct.unpack_from(">I", body)
        first, position = self._values(body, 5)
        if letter == "U" and body[4:5] in b"KO":
            second, _ = self._values(body, position + 1)
            return oid, self.shapes[oid], letter, second, first
        return oid, self.shapes[oid], letter, first, None

    def _values(self, body: bytes, position: int) -> tuple[tuple[object, ...], int]:
        (count,) = struct.unpack_from(">H", body, position)
        position += 2
        values: list[object] = []
        for _ in range(count):
            kind = body[position : position + 1]
            position += 1
            if kind == b"t":
                (length,) = struct.unpack_from(">I", body, position)
                values.append(body[position + 4 : position + 4 + length].decode())
                position += 4 + length
            else:
                values.append(None if kind == b"n" else UNCHANGED)
        return tuple(values), position


# --- The histories.

texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12))
names = st.lists(st.sampled_from(["id", "a", "b", "größe", "x,y"]), min_size=1, max_size=4, unique=True).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    shapes: dict[int, tuple[str, ...]] = {}
    messages: list[bytes] = []
    end_lsn = 1000

    def values(oid: int, *, sent: bool) -> list[object]:
        value = texts if sent else st.one_of(texts, st.just(UNCHANGED))
        return [draw(value) for _ in shapes[oid]]

    for _ in range(draw(st.integers(1, 6))):
        end_lsn += draw(st.integers(16, 2**40))
        messages.append(begin(end_lsn))
        for _ in range(draw(st.integers(0, 8))):
            oid = draw(st.sampled_from([16384, 16385, 4_000_000_000]))
            if oid not in shapes or draw(st.integers(0, 9)) == 0:
                shapes[oid] = draw(names)
                messages.append(relation(oid, shapes[oid]))
            head = struct.pack(">I", oid)
            match draw(st.sampled_from("IUVWDET")):
                case "I":
                    messages.append(b"I" + head + row(b"N", values(oid, sent=True)))
                case "U":
                    messages.append(b"U" + head + row(b"N", values(oid, sent=False)))
                case "V" | "W" as kind:
                    letter = b"K" if kind == "V" else b"O"
                    old, new = values(oid, sent=True), values(oid, sent=False)
                    messages.append(b"U" + head + row(letter, old) + row(b"N", new))
                case "D" | "E" as kind:
                    messages.append(b"D" + head + row(b"K" if kind == "D" else b"O", values(oid, sent=True)))
                case _:
                    named = draw(st.lists(st.sampled_from(sorted(shapes)), min_size=1, max_size=3, unique=True))
                    messages.append(truncate(named))
        messages.append(commit(end_lsn, draw(st.integers(0, 10**15))))
    return messages


def flat(changes: Changes) -> Iterator[Change]:
    """Take columns apart into rows."""

    def texts_of(columns: Sequence) -> list[list[object]]:
        return [
            [
                UNCHANGED if lacks else text
                for text, lacks in zip(column.array().to_pylist(), column.is_unchanged, strict=True)
            ]
            for column in columns
        ]

    olds = iter(zip(*texts_of(changes.old_columns), strict=True))
    rows = zip(*texts_of(changes.columns), strict=True)
    for at, values in enumerate(rows):
        yield Change(
            oid=changes.relation.oid,
            columns=tuple(column.name for column in changes.relation.columns),
            op=chr(changes.letters[at]),
            end_lsn=int(changes.end_lsns[at]),
            committed_us=int(changes.committed_us[at]),
            ordinal=int(changes.ordinals[at]),
            row=values,
            old=next(olds) if changes.has_old[at] else None,
        )


def decoded(
    messages: Sequence[bytes], cuts: Sequence[int] = (), *, after: int = 0, memory: int = 10**6
) -> list[Change]:
    """Decode a stream that arrives in pieces, table by table in the order of each."""
    decoder, spool, found = Decoder(), Spool(None, memory_bytes=memory), []
    edges = sorted({0, len(messages), *cuts})
    for first, end in pairwise(edges):
        for piece in spool.add(Frames.of([HEADER + message for message in messages[first:end]])):
            for changes in decoder.decode(piece.frames, after=after, unfinished=piece.unfinished):
                found.extend(flat(changes))
    assert spool.is_empty
    spool.close()
    return found


@settings(max_examples=400, deadline=None)
@given(messages=histories(), data=st.data())
def test_columns_say_what_messages_do_however_cut(messages: list[bytes], data: st.DataObject):
    expected = list(Reference().read(messages))
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=6))
    found = decoded(messages, cuts, memory=data.draw(st.sampled_from([0, 200, 10**6])))
    assert sorted(found, key=lambda each: (each.end_lsn, each.ordinal)) == expected
    for oid in {each.oid for each in expected}:
        assert [each for each in found if each.oid == oid] == [each for each in expected if each.oid == oid]


@settings(max_examples=100, deadline=None)
@given(messages=histories(), data=st.data())
def test_what_ended_earlier_is_left_out_and_shapes_are_still_learnt(messages: list[bytes], data: st.DataObject):
    expected = list(Reference().read(messages))
    after = data.draw(st.sampled_from([0, *(each.end_lsn for each in expected)]))
    found = decoded(messages, data.draw(st.lists(st.integers(0, len(messages)), max_size=3)), after=after)
    assert sorted(found, key=lambda each: (each.end_lsn, each.ordinal)) == [
        each for each in expected if each.end_lsn > after
    ]


def test_a_relation_is_read_whole():
    message = (
        b"\0\0\x40\0shop\0orders\0f\0\2\1id\0"
        + struct.pack(">Ii", 20, -1)
        + b"\0sum\0"
        + struct.pack(">Ii", 1700, 786438)
    )
    assert Relation.parse(message) == Relation(
        oid=16384,
        schema="shop",
        name="orders",
        replica_identity="f",
        columns=(
            SentColumn(name="id", is_identity=True, type_oid=20, typmod=-1),
            SentColumn(name="sum", is_identity=False, type_oid=1700, typmod=786438),
        ),
    )


def test_the_end_of_a_transaction_is_its_end_lsn_and_not_where_the_commit_begins():
    frames = Frames.of([HEADER + begin(5000), HEADER + commit(5000, 17)])
    assert frames.commit(1) == Commit(end_lsn=5000, committed_us=17)
    assert [list(values) for values in frames.ends()] == [[5000], [17]]


SHAPE = relation(1, ["id", "note"])
INSERT = b"I" + struct.pack(">I", 1)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"S" + bytes(5), "kind S"),
        (b"M" + bytes(20), "kind M"),
        (INSERT + row(b"N", ["1"]), "another number of columns"),
        (INSERT + row(b"N", ["1", "2", "3"]), "another number of columns"),
        (INSERT + b"N\0\2b\0\0\0\1xn", "not text"),
        (INSERT + row(b"K", ["1", "2"]), "another form"),
        (b"U" + struct.pack(">I", 1) + row(b"K", ["1", None]), "another form"),
        (b"D" + struct.pack(">I", 1) + row(b"N", ["1", None]), "another form"),
        (b"I" + struct.pack(">I", 2) + row(b"N", ["1", "2"]), "not described"),
    ],
)
def test_what_is_not_understood_is_refused(message: bytes, words: str):
    with pytest.raises(UnknownMessageError, match=words):
        decoded([begin(100), SHAPE, INSERT + row(b"N", ["1", "x"]), message, commit(100, 1)])


def test_a_described_shape_lasts_until_another_is_described():
    messages = [begin(100), SHAPE, INSERT + row(b"N", ["1", "x"]), commit(100, 1)]
    later = [begin(200), INSERT + row(b"N", ["2", "y"]), commit(200, 2)]
    assert [change.row for change in decoded([*messages, *later], [len(messages)])] == [("1", "x"), ("2", "y")]


def test_no_messages_give_no_changes():
    assert decoded([]) == []
    assert list(Decoder().decode(Frames.of([]), after=0)) == []
