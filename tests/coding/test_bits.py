"""Bits, integers, the arithmetic coder: what is written is read, prefix-free, and nearly as short as possible."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from intdim.coding.arithmetic import entropy_bits, read_symbols, write_symbols
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


def rows() -> list[tuple[str, list[int], int]]:
    rng = np.random.default_rng(5)
    made: list[tuple[str, list[int], int]] = [
        ("none", [], 3),
        ("one", [2], 3),
        ("one-level", [0] * 40, 1),
        ("same", [1] * 3000, 2),
        ("last", [0] * 200 + [4], 5),
        ("in-turn", [0, 1] * 500, 2),
    ]
    for levels, count, sharp in ((2, 1, 1), (2, 999, 1), (3, 500, 0.2), (17, 4000, 0.5), (256, 700, 0.05)):
        shares = rng.dirichlet([sharp] * levels)
        made.append((f"{levels}-{count}", rng.choice(levels, count, p=shares).tolist(), levels))
    return made


@pytest.mark.parametrize(("symbols", "levels"), [row[1:] for row in rows()], ids=[row[0] for row in rows()])
@pytest.mark.parametrize("lead", [0, 3])
def test_symbols_come_back_whatever_follows(symbols: list[int], levels: int, lead: int) -> None:
    out = BitWriter()
    out.fixed(0, lead)
    write_symbols(symbols, levels, out)
    length = len(out)
    for tail in (0, (1 << 64) - 1, 0x5A5A5A5A12345678, 1 << 63):
        followed = BitWriter()
        followed.fixed(int("".join(map(str, out._bits)) or "0", 2), length)
        followed.fixed(tail, 64)
        source = BitReader(followed.to_bytes())
        source.skip_to(lead)
        assert read_symbols(len(symbols), levels, source) == symbols
        assert source.position == length


@pytest.mark.parametrize(("symbols", "levels"), [row[1:] for row in rows()], ids=[row[0] for row in rows()])
def test_the_length_is_that_of_the_estimate(symbols: list[int], levels: int) -> None:
    out = BitWriter()
    write_symbols(symbols, levels, out)
    ideal, counts = 0.0, [0.5] * levels
    for symbol in symbols:
        ideal -= math.log2(counts[symbol] / sum(counts))
        counts[symbol] += 1
    if levels == 1:
        assert len(out) == 0
        return
    assert ideal - 1e-6 <= len(out) <= ideal + 2.01 + 1e-5 * len(symbols)
    learning = (levels - 1) / 2 * math.log2(max(2, len(symbols))) + levels
    assert len(out) <= entropy_bits(symbols, levels) + learning + 2.01


def test_all_short_messages_are_prefix_free() -> None:
    words = []
    for symbols in itertools.product(range(3), repeat=5):
        out = BitWriter()
        write_symbols(symbols, 3, out)
        words.append("".join(map(str, out._bits)))
    words.sort()
    assert len(set(words)) == 3**5
    assert not any(b.startswith(a) for a, b in itertools.pairwise(words))
    assert sum(2.0 ** -len(word) for word in words) <= 1.0


def test_cut_symbols_are_found() -> None:
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 4, 500).tolist()
    out = BitWriter()
    write_symbols(symbols, 4, out)
    for cut in (0, 1, 50, len(out.to_bytes()) - 1):
        with pytest.raises(Damaged):
            read_symbols(500, 4, BitReader(out.to_bytes()[:cut]))
