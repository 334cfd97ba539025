"""The Triton kernels against definitions and twins; without a GPU, in Triton's interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from intdim.errors import UserError
from intdim.kernels import flow, gpu, native, reference, rounding, streams
from intdim.kernels.flow import Destination, Gradient, Scaling, add_lanes
from intdim.projections import find_projection, make_projection, make_stacked
from intdim.projections.base import Projection
from tests.projections.contract import limited

from .test_native import normal, products

triton = pytest.importorskip("triton")

from intdim.kernels import (  # noqa: E402
    blocks_gpu,
    blocks_triton,
    dense_triton,
    flow_triton,
    hartley_triton,
    one_hot_triton,
    rounding_triton,
)
from intdim.kernels.streams_triton import (  # noqa: E402
    any_sign_masks,
    flipped,
    normals,
    random_normals,
    sign_masks,
)

tl = triton.language


@triton.jit
def _gaussians(neighbours, any_order, key, first, SIZE: tl.constexpr):
    first, place = first + tl.full((), 0, tl.int64), tl.arange(0, SIZE)
    tl.store(neighbours + place, normals(key, first, SIZE))
    tl.store(any_order + place, random_normals(key, first + place))


@triton.jit
def _signs(out, key, first, SIZE: tl.constexpr, ALIGNED: tl.constexpr):
    first = first + tl.full((), 0, tl.int64)
    masks = sign_masks(key, first, SIZE) if ALIGNED else any_sign_masks(key, first, SIZE)
    tl.store(out + tl.arange(0, SIZE), flipped(tl.full((SIZE,), 1.0, tl.float32), masks))


DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
KINDS = ("one_hot", "orthogonal", "fastfood")


@pytest.fixture
def by_triton(monkeypatch):
    """Let the kernels run on tensors on the CPU, in the interpreter."""
    if DEVICE == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("needs a GPU or TRITON_INTERPRET=1")

    def supports(work, *weights):
        return work.dtype == torch.float32 and all(item is None or item.dtype in gpu.DTYPES for item in weights)

    monkeypatch.setattr(native, "supports", lambda *tensors: False)
    monkeypatch.setattr(gpu, "supports", supports)
    monkeypatch.setattr(blocks_gpu, "_gluon", lambda: None)  # see test_blocks_gluon.py
    if DEVICE == "cpu":
        monkeypatch.setattr(hartley_triton, "ROWS", 512)  # the interpreter runs one program after the other


def closeness(value: torch.Tensor, expected: torch.Tensor) -> float:
    return ((value.double() - expected.double()).norm() / expected.double().norm()).item()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(1, 1), (63, 7), (1000, 63), (1025, 513), (2047, 256), (3001, 1000), (4097, 17)])
def test_products_are_those_of_the_definition(kind, D, d, by_triton):
    P, definition = make_projection(kind, D, d, 5, DEVICE), reference.DEFINITIONS[kind](D, d, 5)
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(DEVICE)).cpu(), definition @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(DEVICE)).cpu(), definition.t() @ g.double()) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(1, 1), (1000, 63), (3001, 300)])
def test_p_z_has_the_bits_of_the_twin(kind, D, d, monkeypatch, request):
    P = make_projection(kind, D, d, 3)
    expected = products(P)
    request.getfixturevalue("by_triton")
    if DEVICE == "cuda":
        pytest.skip("torch on a GPU may round another way")
    found = products(P)
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if kind == "fastfood" or number in (1, 5):  # Gaussians to rounding; P^T g and P^T S g are added in other lanes
            assert closeness(one, other) < 1e-6
        else:
            body = D - getattr(P, "tail", 0)  # the last block of orthogonal is a Fourier transform in torch
            assert torch.equal(one[:body], other[:body])
            assert closeness(one, other) < 1e-6


@pytest.mark.parametrize(("lanes", "length"), [(1, 5), (17, 130), (128, 3), (129, 257), (2097, 20), (1000, 64)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lanes_are_added_in_their_order(lanes, length, dtype, by_triton):
    sums, factors = normal(lanes * length, "sums").to(DEVICE, dtype), normal(length, "factors").to(DEVICE, dtype)
    groups = sums.view(lanes, length)
    if lanes > flow_triton.ADDED_AT_ONCE:
        each = {129: 16, 2097: 48, 1000: 32}[lanes]
        groups = torch.stack([flow.add_lanes(group) for group in groups.split(each)])
    expected = flow.add_lanes(groups)
    assert torch.equal(flow_triton.sum_lanes(sums, lanes, length), expected)
    assert torch.equal(flow_triton.sum_lanes(sums, lanes, length, factors), expected * factors)


@pytest.mark.parametrize("kind", ["orthogonal", "fastfood"])
def test_same_lanes_same_bits(kind, monkeypatch, request):
    P, g = make_projection(kind, 5000, 40, 3), normal(5000, "g")
    blocks = P._blocks  # type: ignore[attr-defined]
    source = Gradient(g[: blocks.rows])
    expected = blocks.rmatvec(source)
    request.getfixturevalue("by_triton")
    keys = blocks.sign_key, blocks.middle_key
    sums = blocks_triton.rmatvec(source, blocks.rows, 1, blocks.size, *keys, blocks._inverse, lanes=blocks.lanes)
    total = add_lanes(sums.view(-1, 1, blocks.size))
    assert torch.equal(total, expected) if kind == "orthogonal" else closeness(total, expected) < 1e-6


@pytest.mark.parametrize("kind", ["orthogonal", "fastfood"])
@pytest.mark.parametrize(("D", "d"), [(512, 65), (1281, 320), (5000, 300)])
def test_several_sections(kind, D, d, by_triton):
    P = limited(find_projection(kind), largest_block=64)(D, d, 5, DEVICE)
    definition = reference.DEFINITIONS[kind](D, d, 5, 64)  # type: ignore[call-arg]
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(DEVICE)).cpu(), definition @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(DEVICE)).cpu(), definition.t() @ g.double()) < 1e-6


@pytest.mark.parametrize("kind", ["orthogonal", "fastfood"])
def test_blocks_that_are_cut_in_parts(kind, by_triton, monkeypatch):
    P = make_projection(kind, 3001, 600, 3)
    whole = products(P)
    monkeypatch.setattr(blocks_triton, "LARGEST_WHOLE", 256)
    monkeypatch.setattr(blocks_triton, "PART", 256)
    monkeypatch.setattr(blocks_triton, "SCRATCH", 2048)
    for number, (one, other) in enumerate(zip(products(P), whole, strict=True)):
        assert torch.equal(one, other) if number not in (1, 5) else closeness(one, other) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(5000, 300), (5003, 1025), (2049, 64)])
def test_windows_of_rows(kind, D, d, by_triton):
    P, g = make_projection(kind, D, d, 5, DEVICE), normal(D, "g").to(DEVICE)
    for start, stop in ((0, 700), (701, 703), (703, D - 100), (D - 100, D)):
        padded = torch.zeros(D, dtype=torch.float64)
        padded[start:stop] = g[start:stop].double()
        expected = reference.DEFINITIONS[kind](D, d, 5).t() @ padded
        assert closeness(P.read_rows(g[start:stop], start).cpu(), expected) < 1e-6


def test_pieces_know_their_segments(by_triton):
    P = make_stacked("one_hot", [700, 1, 3000, 299], 100, 3, DEVICE)
    plain, _, moved, scaled, image, read = products(P)
    factors, theta_0, g = torch.full((4000,), 1.7), normal(4000, "theta"), normal(4000, "g")
    factors[:1333], factors[1333] = 0.3, -2.0
    assert torch.equal(moved, theta_0 + plain)
    assert torch.equal(scaled, theta_0 + plain * factors)
    assert torch.equal(image, plain)
    assert closeness(read, P.rmatvec(g * factors)) < 1e-6


def check_bfloat16(P: Projection, half: int) -> None:
    """Products with theta_0, weights and gradients in bfloat16, and another scale from row ``half`` on."""
    z, starts = normal(P.d, "z").to(DEVICE), (0, half)
    theta_0, g = (normal(P.D, name).bfloat16().to(DEVICE) for name in ("theta", "g"))
    out = torch.empty_like(theta_0)
    scaling = Scaling(torch.tensor(starts, device=DEVICE), torch.tensor([0.5, 3.0], device=DEVICE), starts)
    P.write(z, theta_0, out, scaling)
    factors = torch.cat([torch.full((half,), 0.5), torch.full((P.D - half,), 3.0)]).to(DEVICE)
    expected = theta_0.float() + P.matvec(z) * factors
    # a card rounds to the nearest of the 8 bits, the interpreter cuts the others off
    assert (out.float() - expected).abs().le(expected.abs() * 2.0 ** (-8 if DEVICE == "cuda" else -7)).all()
    read = P.read(g, scaling)
    assert read.dtype == torch.float32
    assert closeness(read, P.rmatvec(g.float() * factors)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_weights_in_bfloat16(kind, by_triton):
    check_bfloat16(make_projection(kind, 3001, 50, 3, DEVICE), 1500)


def test_dense_is_made_in_tiles(by_triton):
    D, d = 301, 70
    P = make_projection("dense", D, d, 3, DEVICE)
    tiled = limited(type(P), largest_stored=0)(D, d, 3, DEVICE)
    assert (tiled._lengths / P._lengths - 1).abs().max().item() < 3e-7  # type: ignore[attr-defined]
    for one, other in zip(products(tiled), products(P), strict=True):
        assert closeness(one, other) < 1e-6
    assert tiled.state_bytes <= 8 * d


def test_gaussians_and_integers_are_those_of_the_streams(by_triton):
    d, key = 40, streams.stream_key(7, "dense")
    out = torch.empty(50)
    for column in (0, 39):
        unit = torch.zeros(d)
        unit[column] = 1
        dense_triton.matvec(Destination(out), unit, 50, d, key)
        exact = streams.gaussians(key, 0, 50 * d).view(50, d)[:, column]
        assert (out - exact).abs().max().item() < 1e-6
    place, row = torch.arange(8000, dtype=torch.float32), torch.empty(24_000)
    shift = 4 * streams.integers(5, 0, 3, 1500) + torch.arange(3)
    one_hot_triton.matvec(Destination(row), place, torch.ones(8000), 24_000, 1500, 8000, 4, 5)
    starts = row[::8000].abs()
    assert starts.tolist() == shift.float().tolist()


@pytest.mark.parametrize("first", [0, 1 << 40, 12_346])
def test_gaussians_in_float32_are_exact_to_rounding(first, by_triton):
    """A hundred thousand of them: 6e-7 was the worst of a million, float32 alone rounds by 2.4e-7."""
    size = 1 << 17
    neighbours, any_order = (torch.empty(size, device=DEVICE) for _ in range(2))
    _gaussians[(1,)](neighbours, any_order, 1234567, first, SIZE=size)
    exact = streams.gaussians(1234567, first, size)
    assert (neighbours.cpu() - exact).abs().max().item() < 1e-6
    assert (any_order.cpu() - exact).abs().max().item() < 1e-6


@pytest.mark.parametrize("first", [0, 1, 63, 64, 1000, (1 << 40) + 7])
def test_signs_are_those_of_the_streams_from_any_place(first, by_triton):
    expected = streams.signs(99, first, 256)
    out = torch.empty(256, device=DEVICE)
    _signs[(1,)](out, 99, first, SIZE=256, ALIGNED=False)
    assert torch.equal(out.cpu(), expected)
    if first % 64 == 0:
        _signs[(1,)](out.zero_(), 99, first, SIZE=256, ALIGNED=True)
        assert torch.equal(out.cpu(), expected)


def test_a_block_beyond_the_kernels_is_an_error():
    with pytest.raises(UserError) as caught:
        blocks_triton.check(1 << 23)
    assert "8388608" in caught.value.parts[0]


def test_a_cuda_device_without_triton_says_so(monkeypatch):
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    gpu.available.cache_clear()
    try:
        assert not gpu.available()
        assert "no Triton" in gpu.reason()
        monkeypatch.setenv("INTDIM_NATIVE", "0")
        assert "INTDIM_NATIVE=0" in gpu.reason()
    finally:
        gpu.available.cache_clear()


SCRIPTS = Path(__file__).parents[2] / "scripts"
COMPILE = """
from count_instructions import compiled
from intdim.kernels import blocks_triton as blocks, flow_triton as flow, one_hot_triton as one_hot

flags = {"HAS_BASE": True, "HAS_IMAGE": True, "SCALED": True}
block = {"SIZE": 512, "STEPS": 9, "GAUSSIAN": True}
for made in (
    compiled(blocks._matvec_whole, block | flags),
    compiled(blocks._rmatvec_whole, block | {"SCALED": True}, dtype="bf16"),
    compiled(one_hot._matvec, {"BLOCK_": 1024} | flags, dtype="bf16"),
    compiled(one_hot._rmatvec, {"BLOCK_": 1024, "SCALED": True, "IN_VECTORS": False}),
    compiled(one_hot._copy, {"BLOCK_": 1024}),
    compiled(flow._add_lanes, {"SCALED": True, "BLOCK": 128, "TOGETHER": 16}),
):
    assert made.asm["cubin"]
"""


def compile_elsewhere(program: str, cache: Path) -> None:
    """Run a program that compiles kernels, in a process where they are not interpreted."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")])
    made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    """To machine code of compute capability 9.0: what the interpreter lets pass, the compiler may not."""
    compile_elsewhere(COMPILE, tmp_path)


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="no CUDA device")
@pytest.mark.parametrize("kind", [*KINDS, "sparse", "kronecker", "fastfood_padded"])
@pytest.mark.parametrize(("D", "d"), [(1, 1), (1000, 63), (300_007, 1000), (131_073, 65_536), (2_000_003, 40_000)])
def test_same_products_on_both_devices(kind, D, d):
    one, other = make_projection(kind, D, d, 3), make_projection(kind, D, d, 3, "cuda")
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(other.matvec(z.cuda()).cpu(), one.matvec(z)) < 3e-6
    assert closeness(other.rmatvec(g.cuda()).cpu(), one.rmatvec(g)) < 3e-6
    assert torch.equal(other.rmatvec(g.cuda()), other.rmatvec(g.cuda()))


@pytest.mark.parametrize(("first", "count"), [(0, 5000), (7, 1), (4093, 1030), (0, 0)])
def test_stochastic_rounding_has_the_bits_of_its_definition(first, count, by_triton):
    key = streams.stream_key(3, "rounding", 5)
    values = normal(count, "z") * torch.logspace(-30, 30, count) if count else torch.empty(0)
    values[:4] = torch.tensor([float("inf"), -float("inf"), float("nan"), 0.0])[: min(4, count)]
    expected, found = values.clone(), values.to(DEVICE)
    rounding.round_randomly(expected, 7, key, first)
    rounding_triton.round_randomly(found, key, first)
    assert torch.equal(found.cpu().view(torch.int32), expected.view(torch.int32))
