"""Bits and integers: what is written is read, prefix-free, and as long as it should be."""

from __future__ import annotations

import itertools

import pytest

from intdim.coding.bits import BitReader, BitWriter, Damaged

NUMBERS = [1, 2, 3, 7, 8, 31, 32, 1000, 2**31 - 1, 2**40]


def written(name: str, value: int) -> tuple[bytes, int]:
    out = BitWriter()
    getattr(out, name)(value)
    return out.to_bytes(), len(out)


@pytest.mark.parametrize("name", ["gamma", "delta"])
@pytest.mark.parametrize("value", NUMBERS)
def test_integers_come_back_and_have_their_length(name: str, value: int) -> None:
    data, length = written(name, value)
    source = BitReader(data + b"\xff")
    assert getattr(source, name)() == value
    assert source.position == length
    floor = value.bit_length() - 1
    expected = 2 * floor + 1 if name == "gamma" else floor + 2 * ((floor + 1).bit_length() - 1) + 1
    assert length == expected


@pytest.mark.parametrize("name", ["gamma", "delta"])
def test_numbers_are_a_prefix_free_code(name: str) -> None:
    words = []
    for value in range(1, 600):
        data, length = written(name, value)
        words.append("".join(f"{byte:08b}" for byte in data)[:length])
    assert not any(b.startswith(a) for a, b in itertools.pairwise(sorted(words)))
    assert sum(2.0 ** -len(word) for word in words) <= 1.0  # Kraft


@pytest.mark.parametrize("value", [0, 1, -1, 2, -2, 77, -12345])
def test_signed_numbers(value: int) -> None:
    assert BitReader(written("signed", value)[0]).signed() == value


def test_the_first_bit_is_the_highest() -> None:
    out = BitWriter()
    out.bit(1)
    out.fixed(0b0110, 4)
    assert out.to_bytes() == bytes([0b10110000])


def test_bits_that_end_too_early_are_found() -> None:
    for read in ("bit", "gamma", "delta", "signed"):
        with pytest.raises(Damaged):
            getattr(BitReader(b""), read)()
    with pytest.raises(Damaged):
        BitReader(b"\x00" * 40).gamma()
    with pytest.raises(Damaged):
        BitReader(b"\x01").fixed(9)
