import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.replicate.lsn import Lsn, change_seq, lsn_of

positions = st.integers(0, 2**64 - 1).map(Lsn)


def test_it_reads_and_prints_postgres_notation():
    assert Lsn.parse("16/B374D848") == 0x16B374D848
    assert str(Lsn(0x16B374D848)) == "16/B374D848"


@given(positions)
def test_printing_and_reading_lose_nothing(lsn: Lsn):
    assert Lsn.parse(str(lsn)) == lsn
    assert int(lsn.hex, 16) == lsn


@pytest.mark.parametrize("text", ["", "16", "16/", "/1", "1/123456789", "x/1", "1/1/1"])
def test_anything_else_is_refused(text: str):
    with pytest.raises(ValueError):
        Lsn.parse(text)


@given(positions, positions, st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_change_sequences_sort_as_text_by_position_then_ordinal(one: Lsn, other: Lsn, first: int, second: int):
    assert (change_seq(one, first) < change_seq(other, second)) == ((one, first) < (other, second))


@given(positions, st.integers(0, 10**15 - 1))
def test_a_change_sequence_is_35_digits_and_tells_its_position(lsn: Lsn, ordinal: int):
    sequence = change_seq(lsn, ordinal)
    assert len(sequence) == 35
    assert sequence.isdigit()
    assert lsn_of(sequence) == lsn
