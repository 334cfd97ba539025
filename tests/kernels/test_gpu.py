"""When the Triton kernels are used, without a GPU: by dtype, device, and what is installed."""

import importlib.util

import pytest
import torch

from intdim.kernels import gpu


class OnCuda(torch.Tensor):
    """A tensor that says that it is on a CUDA device."""

    device = torch.device("cuda")  # type: ignore[assignment]
    is_cuda = True  # type: ignore[assignment]


def on_cuda(count: int = 4, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(count, dtype=dtype).as_subclass(OnCuda)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Ask again whether Triton is there, before and after."""
    monkeypatch.delenv("INTDIM_NATIVE", raising=False)
    gpu.available.cache_clear()
    yield
    gpu.available.cache_clear()


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "triton" else None)


@pytest.mark.usefixtures("installed")
def test_what_the_kernels_take():
    assert gpu.supports(on_cuda())
    assert gpu.supports(on_cuda(), on_cuda(), None, on_cuda(dtype=torch.bfloat16))


@pytest.mark.usefixtures("installed")
def test_what_they_do_not():
    assert not gpu.supports(on_cuda(dtype=torch.float64))
    assert not gpu.supports(on_cuda(dtype=torch.bfloat16)), "work is in float32"
    assert not gpu.supports(torch.zeros(4))
    assert not gpu.supports(on_cuda(), torch.zeros(4))
    assert not gpu.supports(on_cuda(), on_cuda(dtype=torch.float16))
    assert not gpu.supports(on_cuda(), on_cuda(8)[::2])


@pytest.mark.usefixtures("installed")
def test_it_can_be_switched_off(monkeypatch):
    assert gpu.available()
    assert gpu.reason() == "Triton"
    gpu.available.cache_clear()
    monkeypatch.setenv("INTDIM_NATIVE", "0")
    assert not gpu.available()
    assert not gpu.supports(on_cuda())
    assert gpu.reason() == "torch (INTDIM_NATIVE=0)"


def test_without_triton_torch_computes(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not gpu.available()
    assert not gpu.supports(on_cuda())
    assert "no Triton" in gpu.reason()
