"""For all tests: one torch thread, no network, a cache of their own, NaN in memory that nobody wrote."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# A cache shared by the workers of one machine, not the user's: the docstring corpus is parsed once.
os.environ.setdefault("INTDIM_CACHE", str(Path(tempfile.gettempdir()) / f"intdim-test-cache-{os.getuid()}"))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.pop("INTDIM_CONFIG_PATH", None)
os.environ.pop("INTDIM_DEBUG", None)
if not Path("/dev/nvidia0").exists():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # must stand before anybody imports triton


@pytest.fixture(scope="session", autouse=True)
def one_thread_and_poisoned_memory():
    """Uninitialised tensors are filled with NaN, so that a kernel that forgets a place is found out."""
    import torch

    torch.set_num_threads(1)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)
