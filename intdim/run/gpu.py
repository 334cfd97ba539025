"""What a run needs of a GPU beside its memory: a stream of its own, bfloat16, and whether compiling pays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

import torch

from intdim.errors import UserError
from intdim.spec import RunSpec

COMPILE_FROM = 3e16  # floating-point operations of a run: from there a compiler earns back about a minute on an H200
PER_WEIGHT = 6  # operations of a training step for each weight and token


@contextlib.contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Do all of a run's work under one stream that is not the default one, which CUDA graphs need."""
    if device.type != "cuda":
        yield
        return

    with torch.cuda.stream(_stream(torch.cuda.current_device() if device.index is None else device.index)):
        yield
        torch.cuda.synchronize()


@cache
def _stream(index: int) -> torch.cuda.Stream:
    """The same for all runs of this process: memory is kept apart for each stream."""
    return torch.cuda.Stream(index)


def check_precision(precision: str, device: torch.device) -> None:
    """Raise ``UserError`` if a GPU is too old for bfloat16 and a run wants it."""
    if precision == "float32" or device.type != "cuda" or torch.cuda.get_device_capability(device) >= (8, 0):
        return
    name, (major, minor) = torch.cuda.get_device_name(device), torch.cuda.get_device_capability(device)
    raise UserError(
        f"train.precision={precision}, but {name} (compute capability {major}.{minor}) has no bfloat16",
        "train.precision=float32 on cards before 8.0 (Ampere)",
        "Set train.precision=float32.",
    )


def is_worth_compiling(
    asked: str, spec: RunSpec, weights: int, tokens: float, steps: int, device: torch.device
) -> bool:
    """Return whether the steps of a run go through ``torch.compile``.

    Args:
        asked: true, false or auto.
        spec: of the run.
        weights: of the model.
        tokens: of an example, in the mean.
        steps: of the run.
        device: where it runs; a CPU's step is never compiled.
    """
    if device.type != "cuda" or asked == "false":
        return False
    examples = steps * spec.train.batch_size * spec.train.accumulation
    return asked == "true" or PER_WEIGHT * weights * tokens * examples >= COMPILE_FROM
