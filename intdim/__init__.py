"""Intrinsic dimension of fine-tuning: train a pre-trained model inside a random d-dimensional subspace, find d90."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intdim.artifacts.rebuild import load as load
    from intdim.cli.door import runs as runs
    from intdim.cli.door import sweep as sweep
    from intdim.cli.door import train as train
    from intdim.cli.door import verdicts as verdicts
    from intdim.cli.door import write_report as write_report
    from intdim.subspace import Subspace as Subspace

__version__ = "0.1.0"
__all__ = ["Subspace", "__version__", "load", "runs", "sweep", "train", "verdicts", "write_report"]
DOOR = ("runs", "sweep", "train", "verdicts", "write_report")


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is, so that ``intdim --help`` never waits for torch."""
    if name == "Subspace":
        from intdim.subspace import Subspace

        return Subspace
    if name == "load":
        from intdim.artifacts.rebuild import load

        return load
    if name in DOOR:
        from intdim.cli import door

        return getattr(door, name)
    raise AttributeError(f"module 'intdim' has no attribute {name!r}")
