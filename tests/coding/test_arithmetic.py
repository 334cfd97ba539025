"""The arithmetic coder: symbols come back, the code is prefix-free, and nearly as short as possible."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from intdim.coding.arithmetic import CLOSING, Frequencies, entropy_bits, read_symbols, write_symbols
from intdim.coding.bits import BitReader, BitWriter, Damaged


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


def test_frequencies_are_twice_the_count_plus_one() -> None:
    counted = Frequencies(3)
    for symbol in (1, 1, 2):
        counted.add(symbol)
    assert (counted.weights, counted.total) == ([1, 5, 3], 9)
    assert [counted.interval(symbol) for symbol in range(3)] == [(0, 1), (1, 6), (6, 9)]


def test_a_target_is_found_in_its_own_interval() -> None:
    counted = Frequencies(4)
    for symbol in (3, 0, 3):
        counted.add(symbol)
    for symbol in range(4):
        start, stop = counted.interval(symbol)
        assert {counted.find(target) for target in range(start, stop)} == {symbol}
    with pytest.raises(AssertionError):
        counted.find(counted.total)


def test_one_symbol_of_two_is_two_bits() -> None:
    """Half the interval is one bit; two close the message, less the one that the half had fixed."""
    for symbol, first in ((0, 0), (1, 1)):
        out = BitWriter()
        write_symbols([symbol], 2, out)
        assert len(out) == 1 + CLOSING
        assert out._bits[0] == first


@pytest.mark.parametrize(
    ("symbols", "levels", "bits"),
    [([], 3, 0.0), ([2, 2, 2], 3, 0.0), ([0, 1, 2, 3], 4, 8.0), ([0, 0, 0, 1], 2, 4 * 0.8112781244591328)],
)
def test_entropy_by_hand(symbols: list[int], levels: int, bits: float) -> None:
    assert entropy_bits(symbols, levels) == pytest.approx(bits)
