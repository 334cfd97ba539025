"""When the Triton kernels are used: on a CUDA device if Triton is installed (it comes with torch's CUDA wheels)."""

from __future__ import annotations

import importlib.util
import os
from functools import cache

import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16)


def supports(work: Tensor, *weights: Tensor | None) -> bool:
    """Return whether the kernels can be used: ``work`` float32, weights float32 or bfloat16, contiguous, on CUDA."""
    if work.dtype != torch.float32 or work.device.type != "cuda" or not available():
        return False
    return all(item is None or (item.is_cuda and item.dtype in DTYPES and item.is_contiguous()) for item in weights)


@cache
def available() -> bool:
    """Return whether Triton is installed and not switched off by ``INTDIM_NATIVE=0``."""
    return os.environ.get("INTDIM_NATIVE", "") != "0" and importlib.util.find_spec("triton") is not None


def reason() -> str:
    """Return how products are computed on a CUDA device, as text for a log."""
    if available():
        return "Triton"
    if os.environ.get("INTDIM_NATIVE", "") == "0":
        return "torch (INTDIM_NATIVE=0)"
    return "torch, slower (no Triton: install it in the version that your torch names)"
