"""The definitions: every projection as a dense float64 matrix, written in the slow and obvious way.

Each function ``name(D, d, seed)`` returns P, shape ``(D, d)``. It shares the random streams with the fast code and
nothing else. D >= d gives the projection, D < d a piece of a stacked one (whose columns have unit length in
expectation). Meant for sizes up to a few thousand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from intdim.kernels import streams

LARGEST_BLOCK = 4096  # of fastfood and orthogonal
LARGEST_SIDE = 16  # columns of kronecker's Q2
MOST_COLUMNS = 256  # of a part of kronecker's Q1


def hadamard(size: int) -> Tensor:
    """Return H, entries ``(-1)^popcount(i & j)``, shape ``(size, size)``, for a power of two."""
    H = torch.ones(1, 1, dtype=torch.float64)
    while H.shape[0] < size:
        H = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), H)
    return H


def fwht(values: Tensor) -> Tensor:
    """Return H x by butterflies over the whole vector, not normalised, shape ``(n,)``, n a power of two."""
    half = 1
    while half < values.numel():
        pairs = values.view(-1, 2, half)
        values = torch.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], dim=1).view(-1)
        half *= 2
    return values


def hartley(size: int) -> Tensor:
    """Return the matrix ``cos(2 pi i k / size) + sin(2 pi i k / size)``, shape ``(size, size)``."""
    product = torch.outer(torch.arange(size), torch.arange(size)) % size
    angle = product.double() * (2 * math.pi / size)
    return torch.cos(angle) + torch.sin(angle)


def dense(D: int, d: int, seed: int) -> Tensor:
    """Gaussian columns, rounded to float32, then normalised."""
    gaussians = streams.gaussians(streams.stream_key(seed, "dense"), 0, D * d).float().double().view(D, d)
    return gaussians / gaussians.norm(dim=0)


def sparse(D: int, d: int, seed: int) -> Tensor:
    """One entry +-1/sqrt(m) per column and stratum of rows, m = round(sqrt(D)) strata."""
    strata = max(1, round(math.sqrt(D)))
    row_key, sign_key = streams.stream_key(seed, "sparse", "rows"), streams.stream_key(seed, "sparse", "signs")
    P = torch.zeros(D, d, dtype=torch.float64)
    for stratum in range(strata):
        first, last = stratum * D // strata, (stratum + 1) * D // strata
        offsets = streams.integers(row_key, stratum * d, d, last - first)
        signs = streams.signs(sign_key, stratum * d, d, dtype=torch.float64)
        for j in range(d):
            P[first + offsets[j], j] = signs[j] / math.sqrt(strata)
    return P


def fastfood(D: int, d: int, seed: int, largest_block: int = LARGEST_BLOCK) -> Tensor:
    """Stacked blocks H G Pi H B of at least 256 rows, each for one section; B and G fresh in every block, Pi shared."""
    count, size = sections(D, d, largest_block)
    order = streams.permutation(streams.stream_key(seed, "fastfood", "permutation"), size)
    P, starts = torch.zeros(D, d, dtype=torch.float64), range(0, D, size)
    for block, start in enumerate(starts):
        served = range(block % count, d, count)
        made = _fastfood_block("fastfood", size, len(served), order, start, seed)
        rows = sum(min(size, D - other) for other in starts[block % count :: count])
        P[start : start + size, served] = made[: D - start] / math.sqrt(size * rows)
    return P


def fastfood_padded(D: int, d: int, seed: int) -> Tensor:
    """One block H G Pi H B of the power of two that holds D and d."""
    log2_size = (max(D, d) - 1).bit_length()
    key = streams.stream_key(seed, "fastfood_padded", "permutation")
    order = streams.scramble(key, log2_size, torch.arange(1 << log2_size))
    return _fastfood_block("fastfood_padded", 1 << log2_size, d, order, 0, seed)[:D] / math.sqrt((1 << log2_size) * D)


def _fastfood_block(name: str, size: int, d: int, order: Tensor, start: int, seed: int) -> Tensor:
    """H G Pi H B, first d columns, with signs and Gaussians ``start`` and following."""
    H = hadamard(size)
    B = torch.diag(streams.signs(streams.stream_key(seed, name, "signs"), start, d, dtype=torch.float64))
    G = streams.gaussians(streams.stream_key(seed, name, "gaussians"), start, size).float().double()
    return (H * G) @ (H[order, :d] @ B)


def orthogonal(D: int, d: int, seed: int, largest_block: int = LARGEST_BLOCK) -> Tensor:
    """Blocks H B1 H B2 of at least 256 rows, each for one section; rows left over join the last block, which has the
    Hartley matrix instead."""
    count, size = sections(D, d, largest_block)
    if d > D:
        return _two_signs(hadamard(size), 0, seed)[:D, :d] / math.sqrt(size * D)
    lengths = [size] * max(1, D // size)
    lengths[-1] += D - sum(lengths)
    P, start = torch.zeros(D, d, dtype=torch.float64), 0
    for block, rows in enumerate(lengths):
        served = range(block % count, d, count)
        H = hadamard(size) if rows == size else hartley(rows)
        share = rows / sum(lengths[block % count :: count])
        P[start : start + rows, served] = _two_signs(H, start, seed)[:, : len(served)] * math.sqrt(share) / rows
        start += rows
    return P


def sections(D: int, d: int, largest: int) -> tuple[int, int]:
    """Return the number of sections of d coordinates and the size of blocks: coordinate j is in section j mod count,
    block k serves section k mod count."""
    for count in (-(-d // largest), 1):
        size = max(256, 1 << (-(-d // count) - 1).bit_length())
        if D // size >= count:
            break
    return count, size


def _two_signs(H: Tensor, start: int, seed: int) -> Tensor:
    first, second = (
        streams.signs(streams.stream_key(seed, "orthogonal", part), start, H.shape[0], dtype=torch.float64)
        for part in ("first signs", "second signs")
    )
    return (H * second) @ (H * first)


def one_hot(D: int, d: int, seed: int) -> Tensor:
    """One entry per row: stretches of at least 1024 rows, a multiple of d and of 4, that follow the coordinates
    cyclically from a random start, which is k mod 4 for stretch k."""
    both = math.lcm(d, 4)
    stretch = both * -(-1024 // both)
    signs = streams.signs(streams.stream_key(seed, "one_hot", "signs"), 0, D)
    shifts = streams.integers(streams.stream_key(seed, "one_hot", "shifts"), 0, D // stretch + 1, both // 4)
    shifts = 4 * shifts + torch.arange(len(shifts)) % 4
    P = torch.zeros(D, d, dtype=torch.float64)
    for row in range(D):
        P[row, (row % stretch + int(shifts[row // stretch])) % d] = signs[row]
    return P / P.norm(dim=0) if d <= D else P * math.sqrt(d / D)


def kronecker(D: int, d: int, seed: int, side: int = LARGEST_SIDE, columns: int = MOST_COLUMNS) -> Tensor:
    """Q1 (x) Q2 on the first d columns, its missing rows filled in, then shuffled within tiles of about 2^16 rows.

    Q2 has at most ``side`` columns if that is possible; Q1 is a direct sum of parts with at most ``columns``.
    """
    side2 = math.isqrt(D) if d <= D else math.isqrt(d - 1) + 1
    side1 = D // side2 if d <= D else side2
    core = side1 * side2
    inner = min(d, core)
    d2 = max(min(side, side2, math.isqrt(inner - 1) + 1), -(-inner // side1))
    d1 = -(-inner // d2)

    Q1, Q2 = torch.zeros(side1, d1, dtype=torch.float64), _orthonormal("Q2", side2, d2, seed)
    parts, used = -(-d1 // columns), 0
    for part in range(parts):
        rows, taken = range(part, side1, parts), range(part, d1, parts)
        Q1[part::parts, part::parts] = _orthonormal("Q1", len(rows), len(taken), seed, used)
        used += len(rows) * len(taken)

    P = torch.zeros(max(D, core), d, dtype=torch.float64)
    P[:core, :inner] = torch.kron(Q1, Q2)[:, :inner]
    for extra in range(inner, d):
        P[core + extra - inner, extra] = 1
    twins = max(0, D - core) - (d - inner)
    if twins:
        P[core - twins : core] *= math.sqrt(0.5)
        P[P.shape[0] - twins :] = P[core - twins : core]

    tile = max(1, 2**16 // side2) * side2
    shuffled, start = [], 0
    while core - start > tile:  # "hands" and "last hand" are the names of the streams: other names are other numbers
        shuffled.append(start + streams.permutation(streams.stream_key(seed, "kronecker", "hands"), tile))
        start += tile
    last = streams.permutation(streams.stream_key(seed, "kronecker", "last hand"), P.shape[0] - start)
    P = P[torch.cat([*shuffled, start + last])]
    return P if d <= D else P[:D] * math.sqrt(core / D)


def _orthonormal(part: str, rows: int, columns: int, seed: int, start: int = 0) -> Tensor:
    """Return columns of Gaussians, numbers ``start`` and following, orthonormalised one after the other (Gram-Schmidt,
    twice), which fixes every sign."""
    key = streams.stream_key(seed, "kronecker", part)
    columns_left = streams.gaussians(key, start, rows * columns).view(rows, columns)
    Q = torch.zeros(rows, columns, dtype=torch.float64)
    for j in range(columns):
        column = columns_left[:, j]
        for _ in range(2):  # one pass loses digits, two are enough (Giraud et al. 2005)
            column = column - Q[:, :j] @ (Q[:, :j].t() @ column)
        Q[:, j] = column / column.norm()
    return Q


def stacked(name: str, sizes: Sequence[int], d: int, seed: int, sharing: str) -> Tensor:
    """One P per piece, each over the coordinates that the piece sees; then every column divided by the root of how
    many pieces see its coordinate.

    ``first``: piece k sees coordinates 0, 1, ..., as many as the power of two that holds its weights. Where that leaves
    coordinates out, the largest pieces see other ones: each those that follow its larger neighbour's, until none is
    left. ``turns``: each sees as many as it has weights, a short one those that follow the ones of the short one before
    it, round and round.
    """
    served, left = [list(range(min(d, 1 << (size - 1).bit_length()))) for size in sizes], list(range(d))
    for number in sorted(range(len(sizes)), key=lambda piece: (-sizes[piece], piece)):
        if left:
            served[number], left = left[: len(served[number])], left[len(served[number]) :]
    if sharing == "turns":
        round_and_round = itertools.cycle(range(d))
        served = [[next(round_and_round) for _ in range(size)] if size < d else list(range(d)) for size in sizes]

    parts, count = [], torch.zeros(d, dtype=torch.float64)
    for number, (size, columns) in enumerate(zip(sizes, served, strict=True)):
        part = torch.zeros(size, d, dtype=torch.float64)
        part[:, columns] = DEFINITIONS[name](size, len(columns), streams.stream_key(seed, "piece", number))
        parts.append(part)
        count[columns] += 1
    return torch.cat(parts) / count.sqrt()


DEFINITIONS: dict[str, Callable[[int, int, int], Tensor]] = {
    "dense": dense,
    "sparse": sparse,
    "fastfood": fastfood,
    "fastfood_padded": fastfood_padded,
    "orthogonal": orthogonal,
    "one_hot": one_hot,
    "kronecker": kronecker,
}
