"""Random projections P in R^{D x d} with unit columns, by name. ``README.md`` beside this file has the mathematics."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from intdim.errors import UserError, suggest
from intdim.projections.base import Projection, check_sizes, checked_count, checked_device
from intdim.projections.dense import Dense
from intdim.projections.fastfood import Fastfood
from intdim.projections.fastfood_padded import FastfoodPadded
from intdim.projections.kronecker import Kronecker
from intdim.projections.one_hot import OneHot
from intdim.projections.orthogonal import Orthogonal
from intdim.projections.sparse import Sparse
from intdim.projections.stacked import Stacked

__all__ = ["PROJECTIONS", "Projection", "make_projection", "make_stacked"]

PROJECTIONS: dict[str, type[Projection]] = {
    "dense": Dense,
    "sparse": Sparse,
    "fastfood": Fastfood,
    "fastfood_padded": FastfoodPadded,
    "orthogonal": Orthogonal,
    "one_hot": OneHot,
    "kronecker": Kronecker,
}


def make_projection(name: str, D: int, d: int, seed: int = 0, device: torch.device | str = "cpu") -> Projection:
    """Return the projection ``name`` of d coordinates onto D weights.

    Raises:
        UserError: unknown name or device, sizes that are no whole numbers, or not ``1 <= d <= D``.
    """
    kind, D, d = _kind(name), checked_count(D, "D"), checked_count(d, "d")
    check_sizes(D, d)
    return kind(D, d, checked_count(seed, "seed"), checked_device(device))


def make_stacked(
    name: str, sizes: Sequence[int], d: int, seed: int = 0, device: torch.device | str = "cpu"
) -> Projection:
    """Return one independent projection ``name`` per piece of ``sizes`` weights, divided by sqrt(len(sizes)).

    All pieces share the d coordinates; a piece may have fewer than d weights, all of them together may not.

    Raises:
        UserError: as ``make_projection``; or no piece, or an empty one.
    """
    kind, d = _kind(name), checked_count(d, "d")
    counts = [checked_count(size, "a piece's size") for size in sizes]
    if not counts or min(counts) < 1:
        raise UserError(
            f"sizes={counts} has no piece or an empty one.", "At least one piece, each with a weight.", "Leave it out."
        )
    check_sizes(sum(counts), d)
    return Stacked(kind, counts, d, checked_count(seed, "seed"), checked_device(device))


def _kind(name: str) -> type[Projection]:
    if name not in PROJECTIONS:
        raise UserError(f"There is no projection '{name}'.", suggest(str(name), PROJECTIONS), "Choose one of them.")
    return PROJECTIONS[name]
