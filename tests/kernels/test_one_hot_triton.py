"""``one_hot`` in Triton: in the interpreter against the definition and the bits of C; on a card also windows, half
precision, sizes of real models, and CUDA graphs."""

import os
import subprocess
import sys

import pytest
import torch

from intdim.kernels import reference
from intdim.kernels.flow import Gradient, Scaling
from intdim.projections.one_hot import OneHot

from .test_native import normal, products
from .test_triton import DEVICE, SCRIPTS, by_triton, closeness  # noqa: F401

triton = pytest.importorskip("triton")

from intdim.kernels import flow_triton, one_hot_triton  # noqa: E402

on_a_card = pytest.mark.skipif(DEVICE == "cpu", reason="no CUDA device")
LARGE = [(300_007, 1000), (131_073, 65_536), (2_000_003, 40_001), (5_000_002, 1000), (1_000_001, 3), (700_001, 257)]


def definition(D: int, d: int) -> torch.Tensor:
    return reference.one_hot(D, d, 5)


def segments(D: int, device: str, dtype: torch.dtype = torch.float32) -> Scaling:
    starts, factors = (0, D // 3, D // 3 + 1), torch.tensor([0.3, -2.0, 1.7])
    return Scaling(torch.tensor(starts, device=device), factors.to(device, dtype), starts)


@pytest.mark.usefixtures("by_triton")
@pytest.mark.parametrize(("D", "d"), [(2051, 1), (4100, 3), (5003, 10), (6001, 1030), (4096, 1024), (3001, 5000)])
def test_products_are_those_of_the_definition(D, d):
    """d odd, even, and a multiple of 4: stretches are d, 2 d or 4 d long, or many times d."""
    P, z, g = OneHot(D, d, 5, DEVICE), normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(DEVICE)).cpu(), definition(D, d) @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(DEVICE)).cpu(), definition(D, d).t() @ g.double()) < 1e-6


@pytest.mark.usefixtures("by_triton")
@pytest.mark.parametrize(("lanes", "begin"), [(4, 0), (8, 1027), (4, 4096), (16, 9000)])
def test_a_lane_adds_several_stretches_of_one_remainder(lanes, begin):
    D, d = 21_000, 10
    P, g = OneHot(D, d, 5, DEVICE), normal(D, "g")[begin:].to(DEVICE)
    lengths = P._lengths[torch.float32]
    found = one_hot_triton.rmatvec(Gradient(g), lengths, P.draws, P.stretch, *P._keys, begin=begin, lanes=lanes)
    assert closeness(found.cpu(), definition(D, d)[begin:].t() @ g.cpu().double()) < 1e-6


@pytest.mark.usefixtures("by_triton")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 5), (1039, 1041), (1040, 2080), (777, 3333), (4996, 5003)])
def test_windows_that_begin_and_end_anywhere(start, stop, dtype):
    """As gradients of their own, and as parts of a flat gradient, which are aligned otherwise."""
    D, d = 5003, 10
    P, g = OneHot(D, d, 5, DEVICE), normal(D, "g").to(DEVICE, dtype)
    expected = definition(D, d)[start:stop].t() @ g[start:stop].cpu().double()
    for window in (g[start:stop], g[start:stop].clone()):
        assert closeness(P.read_rows(window, start).cpu(), expected) < 1e-6


@pytest.mark.usefixtures("by_triton")
def test_weights_in_several_launches_have_the_same_bits(monkeypatch):
    P = OneHot(7003, 10, 3)
    whole = products(P)
    monkeypatch.setattr(one_hot_triton, "LONGEST_PIECE", 2100)
    for one, other in zip(products(P), whole, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("stretches", [1, 3, 4, 60, 100, 2000, 10**6])
def test_lanes_are_a_multiple_of_4_or_as_many_as_stretches(stretches):
    for stretch in (1024, 2000, 65_536, 1 << 24):
        lanes = one_hot_triton._lanes(stretches, stretch)
        assert lanes % 4 == 0
        assert lanes >= one_hot_triton.FEWEST_LANES
        assert lanes * stretch <= max(one_hot_triton.LANES_HOLD, one_hot_triton.FEWEST_LANES * stretch)


COUNT = """
from count_instructions import count
from intdim.kernels import one_hot_triton as one_hot

flags = {"HAS_BASE": True, "HAS_IMAGE": False, "SCALED": False}
write = count(one_hot._matvec, {"BLOCK_": 1024} | flags, 2, 1024, edges=False)
read = count(one_hot._rmatvec, {"BLOCK_": 1024, "IN_VECTORS": True, "SCALED": False}, 2, 1024, edges=False)
assert write["vectors"] == 4 + 4 + 4, write  # 16 weights a thread: z, theta_0, theta
assert read["vectors"] == 4, read
for made in (write, read):
    assert made["instructions_per_weight"] < 36, made
    assert made["spilled_bytes"] == 0, made
    assert made["registers"] <= 64, made  # 16 programs of two warps on a multiprocessor
"""


def test_machine_code_moves_vectors_of_16_bytes(tmp_path):
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")])
    made = subprocess.run([sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize(("D", "d"), LARGE)
def test_a_card_writes_the_bits_of_a_cpu(D, d):
    one, other, z, theta_0 = OneHot(D, d, 3), OneHot(D, d, 3, "cuda"), normal(d, "z"), normal(D, "theta")
    scaling, there = (segments(D, device) for device in ("cpu", "cuda"))
    for theta in (theta_0, theta_0.bfloat16()):
        for by, by_card in ((None, None), (scaling, there)):
            out, image = torch.empty_like(theta, device="cuda"), torch.empty(D, device="cuda")
            other.write(z.cuda(), theta.cuda(), out, by_card, image)
            moved, expected = torch.empty(D), torch.empty(D)
            one.write(z, theta.float(), moved, by, expected)
            assert torch.equal(image.cpu(), expected)
            assert torch.equal(out.cpu(), moved.to(theta.dtype))
    assert torch.equal(other.matvec(z.cuda()).cpu(), one.matvec(z))


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("D", "d"), LARGE)
def test_a_card_reads_what_a_cpu_reads(D, d, dtype):
    one, other, g = OneHot(D, d, 3), OneHot(D, d, 3, "cuda"), normal(D, "g").to(dtype)
    exact, found = one.read(g.double()), other.read(g.cuda())
    assert found.dtype == torch.float32
    assert closeness(found.cpu(), exact) < 1e-6
    assert torch.equal(found, other.read(g.cuda()))

    exact = one.read(g.double(), segments(D, "cpu", torch.float64))
    assert closeness(other.read(g.cuda(), segments(D, "cuda")).cpu(), exact) < 1e-6


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("D", "d"), LARGE)
def test_windows_on_a_card(D, d, dtype):
    """Of the sizes of a model's tensors; cut from a flat gradient, and of their own."""
    one, other, g = OneHot(D, d, 3), OneHot(D, d, 3, "cuda"), normal(D, "g").to(dtype)
    windows = (0, 768), (768, 590), (1359, 60_001), (D // 2 // 4 * 4, 60_000), (D // 3, D // 2), (D - 2, 2)
    for start, length in windows:
        window = g[start : start + length]
        exact = one.read_rows(window.double(), start)
        for there in (window.cuda(), g.cuda()[start : start + length]):
            assert closeness(other.read_rows(there, start).cpu(), exact) < 1e-6


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("D", "d"), [(300_007, 1000), (131_073, 65_536), (100_001, 3)])
def test_a_cuda_graph_gives_the_bits_of_eager_launches(D, d, dtype):
    P, z, g = OneHot(D, d, 3, "cuda"), normal(d, "z").cuda(), normal(D, "g").cuda().to(dtype)
    theta_0, out = normal(D, "theta").cuda(), torch.empty(D, device="cuda", dtype=dtype)

    def step() -> tuple[torch.Tensor, ...]:
        P.write(z, theta_0, out)
        return out, P.read(g), P.read_rows(g[:769], 0), P.read_rows(g[770:60_000], 770)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()  # compiles
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = step()

    z.copy_(normal(d, "other z"))
    g.copy_(normal(D, "other g"))
    graph.replay()
    replayed = [item.clone() for item in captured]
    for one, eager in zip(replayed, step(), strict=True):
        assert torch.equal(one, eager)


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize(("lanes", "length"), [(1, 1), (17, 130), (128, 1000), (129, 257), (2097, 2000), (64, 65_536)])
def test_lanes_on_a_card(lanes, length):
    sums = normal(lanes * length, "sums").cuda()
    exact = sums.view(lanes, length).double().sum(0)
    found = flow_triton.sum_lanes(sums, lanes, length)
    assert closeness(found, exact) < 1e-6
    assert torch.equal(found, flow_triton.sum_lanes(sums, lanes, length))
