"""Positions in PostgreSQL's write-ahead log, and the change sequence built on them.

Source: PostgreSQL documentation, type ``pg_lsn``: a 64-bit number, printed as two
hexadecimal halves with a slash.
"""

from __future__ import annotations

from typing import NewType, Self

ChangeSeq = NewType("ChangeSeq", str)
"""35 digits that sort as text: commit end LSN (20), then number within the transaction (15).

The width is that of AWS DMS's ``AR_H_CHANGE_SEQ``, so one silver transform orders both.
"""

_LSN_DIGITS = 20
_ORDINAL_DIGITS = 15

LAST_ORDINAL = 10**_ORDINAL_DIGITS - 1
"""Beyond the number of every change of a transaction."""


class Lsn(int):
    """A log sequence number: an integer that prints as PostgreSQL prints it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read PostgreSQL's ``16/B374D848`` form.

        Raises:
            ValueError: The text is not two hexadecimal numbers of at most 32 bits around a slash.
        """
        high, slash, low = text.partition("/")
        if not slash or not 0 < len(high) <= 8 or not 0 < len(low) <= 8:  # noqa: PLR2004 - hex digits of 32 bits
            message = f"{text!r} is not an LSN; expected a form like 16/B374D848"
            raise ValueError(message)
        return cls(int(high, 16) << 32 | int(low, 16))

    @property
    def hex(self) -> str:
        """Sixteen upper-case hexadecimal digits: sorts as text in file names."""
        return f"{int(self):016X}"

    def __str__(self) -> str:
        """Return PostgreSQL's own notation."""
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    __repr__ = __str__


def change_seq(lsn: int, ordinal: int = 0) -> ChangeSeq:
    """Return the change sequence of the ``ordinal``-th change of the transaction ending at ``lsn``.

    Full-load rows take ordinal 0 of their snapshot's consistent point: later commits end
    at a greater LSN, so every change sorts after the row it changes.
    """
    return ChangeSeq(f"{int(lsn):0{_LSN_DIGITS}d}{ordinal:0{_ORDINAL_DIGITS}d}")


def lsn_of(sequence: str) -> Lsn:
    """Return the LSN that a change sequence of `change_seq` begins with."""
    return Lsn(sequence[:_LSN_DIGITS])
