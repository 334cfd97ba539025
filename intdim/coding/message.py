"""The message: exactly what a decoder that has theta_0 needs to rebuild a trained model.

In this order: method, projection, scope, groups (SAID), excluded patterns, the number of scales (SAID), how many
numbers z has, the seed, then for z and (SAID) for the scales minus one: a codebook and the arithmetically coded indices
of the levels. The seed decides the projection and the head. The learning rate and everything else that led to z is not
part of the message.

Common choices have shorter codes: the default subspace, a power of two as the size of z, a small seed of the user. With
a few thousand examples ten bits are worth half a point of the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from intdim.coding.arithmetic import CLOSING, MOST, entropy_bits, read_symbols, write_symbols
from intdim.coding.bits import BitReader, BitWriter
from intdim.coding.bits import Damaged as Damaged
from intdim.coding.codebook import Codebook
from intdim.errors import UserError
from intdim.spec import derive_seed

CODE_VERSION = 2  # raised by hand when the same message would be read as another model
# The index of a name is part of the code: new names go to the end.
METHODS = ("did", "said")
PROJECTIONS = ("fastfood", "one_hot", "orthogonal", "kronecker", "sparse", "dense", "fastfood_padded")
SCOPES = ("global", "layer", "tensor", "tensor_turns")
GROUPS = ("layer", "module", "tensor")
USUAL = ("did", "fastfood", "global", "layer", ())  # method, projection, scope, groups, exclude: the defaults of conf/
SEED_BITS = 31  # ``derive_seed`` makes seeds of that size
ORIGINS = 64  # how many seeds of a user are tried as the origin of a run's seed


@dataclass(frozen=True)
class Block:
    """Quantised numbers: ``symbols`` (N,) are indices of levels of ``book``."""

    book: Codebook
    symbols: tuple[int, ...]

    @property
    def values(self) -> np.ndarray:
        """The numbers as float32 (N,)."""
        return self.book.values[np.array(self.symbols, dtype=np.int64)]


@dataclass(frozen=True)
class Message:
    """A quantised run. ``z`` has d - m numbers; ``scales`` are the m scales of SAID minus one, or None for DID."""

    method: str
    projection: str
    scope: str
    groups: str
    exclude: tuple[str, ...]
    d: int
    seed: int
    z: Block
    scales: Block | None


def seed_origin(seed: int, d: int) -> int | None:
    """Return the small k for which ``intdim train seed=k d=d`` has this seed, or None. A small k costs fewer bits."""
    return next((k for k in range(ORIGINS) if derive_seed(k, "train", d) == seed), None)


def encode(message: Message) -> tuple[bytes, int, dict[str, float]]:
    """Return the message, its length in bits, and an account of the bits by what they are spent on.

    The message is padded with zero bits to whole bytes; the length, which enters the bound, does not include them. In
    the account, ``z counts`` is the price of not knowing how often each level occurs.

    Raises:
        UserError: a name has no code.
    """
    out = BitWriter()
    account: dict[str, float] = {}

    def spent(name: str, write: Callable[[], None]) -> None:
        before = len(out)
        write()
        account[name] = float(len(out) - before)

    spent("subspace", lambda: _write_subspace(message, out))
    spent("d", lambda: _write_size(message, out))
    spent("seed", lambda: _write_seed(message.seed, message.d, out))
    for name, block in (("z", message.z), ("scales", message.scales)):
        if block is None:
            continue

        spent(f"{name} codebook", lambda block=block: block.book.write(out))
        before = len(out)
        write_symbols(block.symbols, len(block.book.multiples), out)
        total = len(out) - before
        closing = float(CLOSING) if total else 0.0
        account[f"{name} levels"] = entropy_bits(block.symbols, len(block.book.multiples))
        account[f"{name} counts"] = total - closing - account[f"{name} levels"]
        account[f"{name} end"] = closing
    return out.to_bytes(), len(out), account


def decode(data: bytes, most: int = MOST - 1) -> tuple[Message, int]:
    """Return the message and its length in bits; what follows it is ignored.

    Raises:
        Damaged: the bits are not a message, or it is one of more than ``most`` numbers.
    """
    source = BitReader(data)
    method, projection, scope, groups, exclude = _read_subspace(source)
    m = source.delta() if method == "said" else 0
    d = _read_count(source) + m
    if d > min(most, MOST - 1):
        raise Damaged(f"d={d}")
    seed = _read_seed(d, source)
    z = _read_block(d - m, source)
    scales = _read_block(m, source) if method == "said" else None
    return Message(method, projection, scope, groups, exclude, d, seed, z, scales), source.position


def _write_subspace(message: Message, out: BitWriter) -> None:
    chosen = (message.method, message.projection, message.scope, message.groups, message.exclude)
    out.bit(chosen == USUAL)
    if chosen == USUAL:
        return

    out.fixed(_index(METHODS, message.method, "method"), 1)
    out.fixed(_index(PROJECTIONS, message.projection, "projection"), 3)
    out.fixed(_index(SCOPES, message.scope, "scope"), 2)
    if message.method == "said":
        out.fixed(_index(GROUPS, message.groups, "groups"), 2)

    out.gamma(len(message.exclude) + 1)
    for pattern in message.exclude:
        raw = pattern.encode("utf-8")
        out.gamma(len(raw) + 1)
        for byte in raw:
            out.fixed(byte, 8)


def _read_subspace(source: BitReader) -> tuple[str, str, str, str, tuple[str, ...]]:
    if source.bit():
        return USUAL
    method = _pick(METHODS, source.fixed(1), "method")
    projection = _pick(PROJECTIONS, source.fixed(3), "projection")
    scope = _pick(SCOPES, source.fixed(2), "scope")
    groups = _pick(GROUPS, source.fixed(2), "groups") if method == "said" else "layer"
    return method, projection, scope, groups, tuple(_read_text(source) for _ in range(source.gamma() - 1))


def _write_size(message: Message, out: BitWriter) -> None:
    m, count = len(message.scales.symbols) if message.scales else 0, len(message.z.symbols)
    assert count == message.d - m
    if message.method == "said":
        out.delta(m)
    power = count.bit_length() - 1
    out.bit(count == 1 << power)
    if count == 1 << power:
        out.gamma(power + 1)
    else:
        out.delta(count)


def _read_count(source: BitReader) -> int:
    if not source.bit():
        return source.delta()
    power = source.gamma() - 1
    if power >= MOST.bit_length():
        raise Damaged(f"2^{power} numbers")
    return 1 << power


def _write_seed(seed: int, d: int, out: BitWriter) -> None:
    origin = seed_origin(seed, d)
    out.bit(origin is not None)
    if origin is not None:
        out.gamma(origin + 1)
    else:
        out.fixed(seed, SEED_BITS)


def _read_seed(d: int, source: BitReader) -> int:
    if not source.bit():
        return source.fixed(SEED_BITS)
    origin = source.gamma() - 1
    if origin >= ORIGINS:
        raise Damaged(f"a seed from {origin}")
    return derive_seed(origin, "train", d)


def _read_text(source: BitReader) -> str:
    raw = bytes(source.fixed(8) for _ in range(source.gamma() - 1))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("a pattern that is not UTF-8") from None


def _read_block(count: int, source: BitReader) -> Block:
    book = Codebook.read(source)
    return Block(book, tuple(read_symbols(count, len(book.multiples), source)))


def _index(names: tuple[str, ...], name: str, what: str) -> int:
    """Return the index of a name, which is its code."""
    if name not in names:
        raise UserError(
            f"{what}={name!r} has no code in messages, so a run with it has no certificate",
            f"known to the code: {', '.join(names)}",
            "Append the name to its list in intdim/coding/message.py.",
        )
    return names.index(name)


def _pick(names: tuple[str, ...], index: int, what: str) -> str:
    """Return the name with an index; ``Damaged`` if there is none."""
    if index >= len(names):
        raise Damaged(f"an unknown {what}")
    return names[index]
