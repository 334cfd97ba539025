"""Intrinsic dimension of fine-tuning: train a pre-trained model inside a random d-dimensional subspace, find d90."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intdim.artifacts.rebuild import load as load
    from intdim.subspace import Subspace as Subspace

__version__ = "0.1.0"
__all__ = ["Subspace", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import ``Subspace`` and ``load`` when they are asked for, so that ``intdim --help`` never waits for torch."""
    if name == "Subspace":
        from intdim.subspace import Subspace

        return Subspace
    if name == "load":
        from intdim.artifacts.rebuild import load

        return load
    raise AttributeError(f"module 'intdim' has no attribute {name!r}")
