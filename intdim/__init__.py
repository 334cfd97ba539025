"""Intrinsic dimension of fine-tuning: train a pre-trained model inside a random d-dimensional subspace, find d90."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intdim.artifacts.rebuild import load as load
    from intdim.cli.door import runs as runs
    from intdim.cli.door import sweep as sweep
    from intdim.cli.door import train as train
    from intdim.cli.door import verdicts as verdicts
    from intdim.cli.door import write_report as write_report
    from intdim.subspace import Subspace as Subspace

    report: Any  # the folder, which can be called

__version__ = "0.1.0"
__all__ = ["Subspace", "__version__", "load", "report", "runs", "sweep", "train", "verdicts", "write_report"]
DOOR = ("runs", "sweep", "train", "verdicts", "write_report")


class _Report(ModuleType):
    """The folder ``intdim.report``, which can also be called: ``intdim.report(out="outputs", name="mine")``."""

    def __call__(self, **keys: Any) -> Path:
        """Write a report and return its folder; arguments and errors as of ``write_report``."""
        from intdim.cli.door import write_report

        return write_report(**keys)


class _Package(ModuleType):
    """This package: whoever imports ``intdim.report`` first, it can be called."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "report" and type(value) is ModuleType:
            value.__class__ = _Report
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is, so that ``intdim --help`` never waits for torch."""
    if name == "Subspace":
        from intdim.subspace import Subspace

        return Subspace
    if name == "load":
        from intdim.artifacts.rebuild import load

        return load
    if name == "report":
        return importlib.import_module("intdim.report")
    if name in DOOR:
        from intdim.cli import door

        return getattr(door, name)
    raise AttributeError(f"module 'intdim' has no attribute {name!r}")
