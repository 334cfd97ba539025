"""Sums into places, in an order that does not depend on timing."""

from __future__ import annotations

from torch import Tensor


def add_at(out: Tensor, index: Tensor, values: Tensor) -> None:
    """Do ``out[index[i]] += values[i]`` for all i, so that the same input gives the same bits every time.

    All three are one-dimensional. Torch's ``index_add_`` goes through a one-dimensional CPU tensor in order, in one
    thread, but uses atomic additions on a GPU; ``index_put_`` sorts first on a GPU, but uses atomic additions on the
    CPU.
    """
    if out.device.type == "cpu":
        out.index_add_(0, index, values)
    else:
        out.index_put_((index.long(),), values, accumulate=True)
