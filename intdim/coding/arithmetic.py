"""An adaptive arithmetic coder (Witten, Neal and Cleary 1987) with the Krichevsky-Trofimov estimate of frequencies.

The decoder learns how often each symbol occurs while it decodes, so no counts are sent: after c occurrences of a symbol
among t, its probability is estimated as (c + 1/2) / (t + L / 2). That costs about (L - 1) / 2 log2 t bits more than the
entropy of the true counts (Krichevsky and Trofimov 1981), which is less than sending them.

The code is prefix-free for a known number of symbols: the last bits select an interval inside the message's own, so
the symbols are decoded correctly whatever bits follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from intdim.coding.bits import BitReader, BitWriter, Damaged

WIDTH = 32
FULL, HALF, QUARTER = 1 << WIDTH, 1 << WIDTH - 1, 1 << WIDTH - 2
MOST = 1 << 27  # symbols of a message: their weights then sum to less than a quarter of the interval
CLOSING = 2  # bits that end a message


class Frequencies:
    """Running counts c of ``levels`` symbols, as integer weights 2 c + 1."""

    def __init__(self, levels: int) -> None:
        self.weights, self.total = [1] * levels, levels

    def interval(self, symbol: int) -> tuple[int, int]:
        """Return the part of [0, total) that belongs to a symbol, as (start, stop)."""
        start = sum(self.weights[:symbol])
        return start, start + self.weights[symbol]

    def find(self, target: int) -> int:
        """Return the symbol whose part contains ``target`` in [0, total)."""
        for symbol, weight in enumerate(self.weights):
            target -= weight
            if target < 0:
                return symbol
        raise AssertionError("target is not below the total")

    def add(self, symbol: int) -> None:
        """Count one occurrence."""
        self.weights[symbol] += 2
        self.total += 2


def write_symbols(symbols: Sequence[int], levels: int, out: BitWriter) -> None:
    """Write symbols from 0 to levels - 1. With one level nothing is written: the decoder knows them."""
    assert len(symbols) < MOST
    if levels == 1 or not len(symbols):
        return
    frequencies, low, high, pending = Frequencies(levels), 0, FULL - 1, 0

    def emit(bit: int) -> None:
        nonlocal pending
        out.bit(bit)
        for _ in range(pending):
            out.bit(1 - bit)
        pending = 0

    for symbol in symbols:
        start, stop = frequencies.interval(symbol)
        span = high - low + 1
        low, high = low + span * start // frequencies.total, low + span * stop // frequencies.total - 1
        frequencies.add(symbol)
        while True:
            if high < HALF:
                emit(0)
            elif low >= HALF:
                emit(1)
                low, high = low - HALF, high - HALF
            elif low >= QUARTER and high < 3 * QUARTER:
                pending += 1
                low, high = low - QUARTER, high - QUARTER
            else:
                break
            low, high = low << 1, high << 1 | 1

    pending += 1
    emit(0 if low < QUARTER else 1)  # selects a quarter that lies inside [low, high]


def read_symbols(count: int, levels: int, source: BitReader) -> list[int]:
    """Read ``count`` symbols and leave ``source`` at the bit after them.

    Raises:
        Damaged: the bits end too early.
    """
    if levels == 1 or not count:
        return [0] * count

    begin, shifts, value = source.position, 0, 0
    for offset in range(WIDTH):
        value = value << 1 | source.peek(begin + offset)

    frequencies, low, high, symbols = Frequencies(levels), 0, FULL - 1, []
    for _ in range(count):
        span = high - low + 1
        symbol = frequencies.find(((value - low + 1) * frequencies.total - 1) // span)
        start, stop = frequencies.interval(symbol)
        low, high = low + span * start // frequencies.total, low + span * stop // frequencies.total - 1
        frequencies.add(symbol)
        symbols.append(symbol)

        while True:
            if high < HALF:
                shift = 0
            elif low >= HALF:
                shift = HALF
            elif low >= QUARTER and high < 3 * QUARTER:
                shift = QUARTER
            else:
                break
            low, high, value = low - shift << 1, high - shift << 1 | 1, value - shift << 1
            value |= source.peek(begin + WIDTH + shifts)
            shifts += 1
        if begin + shifts > source.size:  # only zeros from here on, which could decode to many more symbols
            raise Damaged(f"the message ends before its {count} symbols do")

    source.skip_to(begin + shifts + CLOSING)  # each doubling of the interval wrote one bit
    return symbols


def entropy_bits(symbols: Sequence[int], levels: int) -> float:
    """Return the bits that the symbols would take if their counts were known: their number times the entropy."""
    counts = [0] * levels
    for symbol in symbols:
        counts[symbol] += 1
    return sum(count * math.log2(len(symbols) / count) for count in counts if count)
