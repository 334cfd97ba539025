"""Random projections P in R^{D x d} with unit columns, by name. ``README.md`` beside this file has the mathematics.

The names are listed once, in ``intdim.spec.PROJECTIONS``, each with its class as ``"module:Class"``; a class is
imported when it is asked for. A projection from another package is passed as the class itself, or is added to that
table under a name of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import torch

from intdim.errors import UserError, suggest
from intdim.projections.base import Projection, check_sizes, checked_count, checked_device
from intdim.projections.stacked import Stacked
from intdim.projections.windows import SHARINGS
from intdim.spec import PROJECTIONS

__all__ = ["PROJECTIONS", "Projection", "find_projection", "make_projection", "make_stacked"]


def make_projection(
    projection: str | type[Projection], D: int, d: int, seed: int = 0, device: torch.device | str = "cpu"
) -> Projection:
    """Return a projection of d coordinates onto D weights.

    Args:
        projection: a name in ``PROJECTIONS``, or a subclass of ``Projection``.
        D: rows, the number of weights.
        d: columns, the number of coordinates, at most D.
        seed: decides P.
        device: where P lives.

    Raises:
        UserError: an unknown name or device, a size that is not an integer, or not ``1 <= d <= D``.
    """
    kind, D, d = find_projection(projection), checked_count(D, "D"), checked_count(d, "d")
    check_sizes(D, d)
    return kind(D, d, checked_count(seed, "seed"), checked_device(device))


def make_stacked(
    projection: str | type[Projection],
    sizes: Sequence[int],
    d: int,
    seed: int = 0,
    device: torch.device | str = "cpu",
    sharing: str = "first",
) -> Projection:
    """Return one independent projection per piece of ``sizes`` weights, with columns of unit length in all.

    The pieces share the d coordinates: one with fewer than d weights sees as many of them as it has weights, or the
    next power of two. All pieces together must have at least d weights.

    Args:
        projection: of each piece, as in ``make_projection``.
        sizes: weights of each piece, in their order.
        d: columns, the number of coordinates.
        seed: decides P.
        device: where P lives.
        sharing: which coordinates a piece sees: ``first``, the first ones, as published, or ``turns``, those that
            follow the ones of the piece before it.

    Raises:
        UserError: as ``make_projection``; or no piece, an empty one, or an unknown sharing.
    """
    kind, d = find_projection(projection), checked_count(d, "d")
    counts = [checked_count(size, "a piece's size") for size in sizes]
    if not counts or min(counts) < 1:
        raise UserError(
            f"sizes={counts} has no piece or an empty one.",
            "There must be at least one piece, and at least one weight in each.",
            "Leave empty pieces out.",
        )
    check_sizes(sum(counts), d)
    if sharing not in SHARINGS:
        raise UserError(f"unknown sharing {sharing!r}", suggest(sharing, SHARINGS), "Choose one of these.")
    return Stacked(kind, counts, d, checked_count(seed, "seed"), checked_device(device), sharing)


def find_projection(projection: str | type[Projection]) -> type[Projection]:
    """Return the class of a projection that is given by its name in ``PROJECTIONS`` or as the class itself.

    Raises:
        UserError: an unknown name, or something that is not a subclass of ``Projection``.
    """
    found: object = projection
    if isinstance(projection, str):
        if projection not in PROJECTIONS:
            raise UserError(
                f"There is no projection '{projection}'.", suggest(projection, PROJECTIONS), "Choose one of them."
            )
        module, _, name = PROJECTIONS[projection].partition(":")
        found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, Projection)):
        raise UserError(
            f"projection={projection!r} is not a projection.",
            "A projection is a name, or a subclass of intdim.projections.Projection.",
            f"Known names: {', '.join(PROJECTIONS)}.",
        )
    return found
