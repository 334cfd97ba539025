"""Writing and reading bits, and prefix-free codes of integers (Elias 1975)."""

from __future__ import annotations


class Damaged(ValueError):
    """The bits are not a message of this code."""


class BitWriter:
    """Collects bits in the order of writing."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def __len__(self) -> int:
        return len(self._bits)

    def bit(self, value: int) -> None:
        """Write one bit."""
        self._bits.append(1 if value else 0)

    def fixed(self, value: int, width: int) -> None:
        """Write ``value`` in ``width`` bits, the highest first."""
        assert 0 <= value < 1 << width, (value, width)
        self._bits += [value >> shift & 1 for shift in reversed(range(width))]

    def gamma(self, value: int) -> None:
        """Write an integer >= 1 by Elias' gamma code: 2 floor(log2 value) + 1 bits."""
        assert value >= 1, value
        width = value.bit_length()
        self.fixed(0, width - 1)
        self.fixed(value, width)

    def delta(self, value: int) -> None:
        """Write an integer >= 1 by Elias' delta code: its length by ``gamma``, then its low bits; the shorter code from
        32 on."""
        assert value >= 1, value
        width = value.bit_length()
        self.gamma(width)
        self.fixed(value - (1 << (width - 1)), width - 1)

    def signed(self, value: int) -> None:
        """Write any integer: 0, 1, -1, 2, -2... as 1, 2, 3, 4, 5... by ``gamma``."""
        self.gamma(2 * value if value > 0 else 1 - 2 * value)

    def to_bytes(self) -> bytes:
        """Return the bits as bytes; the last one is padded with zeros."""
        padded = self._bits + [0] * (-len(self._bits) % 8)
        return bytes(int("".join(map(str, padded[at : at + 8])), 2) for at in range(0, len(padded), 8))


class BitReader:
    """Reads what a ``BitWriter`` wrote; ``position`` is the number of bits read.

    Raises (in every reading method but ``peek``):
        Damaged: the bits end too early, or a number has more than 64 bits.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self.position = data, 0

    @property
    def size(self) -> int:
        """How many bits there are, padding included."""
        return 8 * len(self._data)

    def peek(self, position: int) -> int:
        """Return the bit at ``position``; past the end there are zeros."""
        byte = position >> 3
        return self._data[byte] >> (7 - (position & 7)) & 1 if byte < len(self._data) else 0

    def skip_to(self, position: int) -> None:
        """Continue at ``position``."""
        if position > self.size:
            raise Damaged(f"the message ends after {self.size} bits, but {position} are needed")
        self.position = position

    def bit(self) -> int:
        """Read one bit."""
        self.skip_to(self.position + 1)
        return self.peek(self.position - 1)

    def fixed(self, width: int) -> int:
        """Read what ``BitWriter.fixed`` wrote."""
        value = 0
        for _ in range(width):
            value = value << 1 | self.bit()
        return value

    def gamma(self) -> int:
        """Read what ``BitWriter.gamma`` wrote."""
        width = 0
        while not self.bit():
            width += 1
            if width > 64:
                raise Damaged("a number of more than 64 bits")
        return 1 << width | self.fixed(width)

    def delta(self) -> int:
        """Read what ``BitWriter.delta`` wrote."""
        width = self.gamma() - 1
        if width > 64:
            raise Damaged("a number of more than 64 bits")
        return 1 << width | self.fixed(width)

    def signed(self) -> int:
        """Read what ``BitWriter.signed`` wrote."""
        value = self.gamma()
        return value // 2 if value % 2 == 0 else -(value // 2)
