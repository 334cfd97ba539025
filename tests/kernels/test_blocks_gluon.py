"""The kernels in Gluon against definitions, twins and each other.

On a GPU as they are (``pytest -m gpu``); without one in Triton's interpreter, their layouts taken away, and compiled.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from intdim.kernels import gpu, native, reference, streams
from intdim.kernels.flow import Destination, Gradient, Scaling
from intdim.projections import find_projection, make_projection, make_stacked
from tests.projections.contract import limited

from .test_native import normal

triton = pytest.importorskip("triton")
pytest.importorskip("triton.experimental.gluon")

from intdim.kernels import blocks_gpu, hartley_triton  # noqa: E402

from . import without_layouts  # noqa: E402

KINDS = ("orthogonal", "fastfood")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.fixture(params=["interpreter", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request, monkeypatch):
    """Where the kernels run; an error of theirs is one, not a reason to take others."""

    def refused(kernels, error):
        raise error

    monkeypatch.setattr(blocks_gpu, "_refused", refused)
    monkeypatch.setattr(blocks_gpu, "_broken", set())
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        assert blocks_gpu._gluon() is not None
        return "cuda"

    if not INTERPRETED:
        pytest.skip("needs TRITON_INTERPRET=1")
    kernels = without_layouts.load().blocks_gluon
    monkeypatch.setattr(blocks_gpu, "_gluon", lambda: kernels)
    monkeypatch.setattr(hartley_triton, "ROWS", 512)  # the interpreter runs one program after the other
    monkeypatch.setattr(native, "supports", lambda *tensors: False)
    monkeypatch.setattr(
        gpu,
        "supports",
        lambda work, *weights: work.dtype == torch.float32 and all(w is None or w.dtype in gpu.DTYPES for w in weights),
    )
    return "cpu"


def closeness(value: torch.Tensor, expected: torch.Tensor) -> float:
    return ((value.double().cpu() - expected.double().cpu()).norm() / expected.double().norm().cpu()).item()


def on_cpu(kind: str, D: int, d: int, largest_block: int = 4096):
    return limited(find_projection(kind), largest_block=largest_block)(D, d, 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(1, 1), (300, 17), (1000, 63), (3001, 300), (4096, 1000), (9000, 1025)])
def test_products_are_those_of_the_definition(kind, D, d, device):
    """256 to 4096 numbers in a block, several blocks in a warp and several warps in a block, cut and whole."""
    P, definition = make_projection(kind, D, d, 5, device), reference.DEFINITIONS[kind](D, d, 5)
    z, g = normal(d, "z"), normal(D, "g")
    assert closeness(P.matvec(z.to(device)), definition @ z.double()) < 1e-6
    assert closeness(P.rmatvec(g.to(device)), definition.t() @ g.double()) < 1e-6


@pytest.mark.parametrize(("D", "d"), [(4096, 1000), (9000, 300), (9000, 2000), (16_384, 5000)])
def test_orthogonal_has_the_bits_of_the_cpu(D, d, device, monkeypatch):
    P = make_projection("orthogonal", D, d, 5, device)
    z, theta_0, starts = normal(d, "z"), normal(D, "theta"), (0, D // 3, D // 3 + 1)
    scaling = Scaling(torch.tensor(starts), torch.tensor([0.3, -2.0, 1.7]), starts)
    there = Scaling(scaling.starts.to(device), scaling.factors.to(device), starts)
    made = [torch.empty(D, device=device) for _ in range(3)]
    P.write(z.to(device), theta_0.to(device), made[0])
    P.write(z.to(device), theta_0.to(device), made[1], there, made[2])

    monkeypatch.undo()
    twin, expected = make_projection("orthogonal", D, d, 5), [torch.empty(D) for _ in range(3)]
    twin.write(z, theta_0, expected[0])
    twin.write(z, theta_0, expected[1], scaling, expected[2])
    body = D - twin.tail  # the last block is a Fourier transform, which a GPU rounds another way
    for one, other in zip(made, expected, strict=True):
        assert torch.equal(one[:body].cpu(), other[:body])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("D", "d", "largest"), [(1281, 320, 64), (5000, 300, 64), (9000, 1500, 512), (13_000, 9000, 4096)]
)
def test_several_sections(kind, D, d, largest, device):
    P, twin = limited(find_projection(kind), largest_block=largest)(D, d, 5, device), on_cpu(kind, D, d, largest)
    assert P.sections.count > 1
    z, g = normal(d, "z").double(), normal(D, "g").double()
    assert closeness(P.matvec(z.float().to(device)), twin.matvec(z)) < 1e-6
    assert closeness(P.rmatvec(g.float().to(device)), twin.rmatvec(g)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(5000, 300), (5003, 1025), (2048, 200), (13_000, 9000)])
def test_windows_of_rows(kind, D, d, device):
    P, twin, g = make_projection(kind, D, d, 5, device), on_cpu(kind, D, d), normal(D, "g")
    total = torch.zeros(d, dtype=torch.float64)
    for start, stop in ((0, 700), (700, 701), (701, 1024), (1024, D - 100), (D - 100, D)):
        expected = twin.read_rows(g[start:stop].double(), start)
        found = P.read_rows(g[start:stop].to(device), start)
        assert closeness(found, expected) < 1e-6
        total += found.cpu()
    assert closeness(P.rmatvec(g.to(device)), total) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("D", "d"), [(3001, 50), (9000, 1025)])
def test_weights_in_bfloat16(kind, D, d, device):
    P, z = make_projection(kind, D, d, 3, device), normal(d, "z").to(device)
    theta_0, g = normal(D, "theta").bfloat16().to(device), normal(D, "g").bfloat16().to(device)
    out, starts = torch.empty_like(theta_0), (0, 1500)
    scaling = Scaling(torch.tensor(starts).to(device), torch.tensor([0.5, 3.0]).to(device), starts)
    P.write(z, theta_0, out, scaling)
    factors = torch.cat([torch.full((1500,), 0.5), torch.full((D - 1500,), 3.0)]).to(device)
    expected = theta_0.float() + P.matvec(z) * factors
    # a card rounds to the nearest of the 8 bits, the interpreter cuts the others off
    assert (out.float() - expected).abs().le(expected.abs() * 2.0 ** (-8 if device == "cuda" else -7)).all()
    read = P.read(g, scaling)
    assert read.dtype == torch.float32
    assert closeness(read, P.rmatvec(g.float() * factors)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_know_their_segments(kind, device):
    """Scaled by the tensors of a model, many of which lie within one block."""
    sizes = [700, 1, 3, 3000, 40, 40, 299]
    P, theta_0, g = make_stacked(kind, sizes, 100, 3, device), normal(4083, "theta").to(device), normal(4083, "g")
    starts = (0, 333, 1333, 1334, 1350, 2000, 4000)
    factors = torch.linspace(-1, 2, len(starts))
    scaling = Scaling(torch.tensor(starts).to(device), factors.to(device), starts)
    dense = factors.repeat_interleave(torch.tensor([*starts[1:], 4083]) - torch.tensor(starts)).to(device)
    z, g = normal(100, "z").to(device), g.to(device)
    plain, image, moved = P.matvec(z), torch.empty_like(theta_0), torch.empty_like(theta_0)
    P.write(z, theta_0, moved, scaling, image)
    assert torch.equal(image, plain)
    assert closeness(moved, theta_0 + plain * dense) < 1e-7
    assert closeness(P.read(g, scaling), P.rmatvec(g * dense)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_small_blocks_of_64(kind, device):
    from intdim.projections.blocks import SignedBlocks
    from intdim.projections.sections import Sections

    order = streams.permutation(7, 64).int() if kind == "fastfood" else None
    scales = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)

    def made(where: str) -> SignedBlocks:
        there = None if order is None else order.to(where)
        return SignedBlocks(3100, Sections(190, 3, 64), scales.to(where), 11, 22, there, torch.device(where), 1 << 18)

    z, g, out = normal(190, "z").to(device), normal(3100, "g").to(device), torch.empty(3100, device=device)
    made(device).write(z, Destination(out))
    exact = torch.empty(3100, dtype=torch.float64)
    made("cpu").write(z.cpu().double(), Destination(exact))
    assert closeness(out, exact) < 1e-6
    expected = made("cpu").read(Gradient(g.cpu().double()[1000:2900]), 1000)
    assert closeness(made(device).read(Gradient(g[1000:2900]), 1000), expected) < 1e-6


SCRIPTS = Path(__file__).parents[2] / "scripts"
COMPILE = """
from count_instructions import PLAIN, compiled, in_gluon
from intdim.kernels import blocks_gluon as blocks

rows = in_gluon("orthogonal", 1024, False) | in_gluon("orthogonal", 4096, False) | in_gluon("fastfood", 1024, True)
for name, row in rows.items():
    print(name, row)
    fastfood, wide = name.startswith("fastfood"), "4096" in name
    assert row["instructions_per_weight"] < (100 if fastfood else 52 if wide else 46)
    assert row["registers"] <= 128
    assert row["spilled_bytes"] <= (64 if fastfood else 0)

flags = {"HAS_BASE": True, "HAS_IMAGE": True, "SCALED": True}
shape = blocks._shape(256, True)
assert compiled(blocks._matvec, shape | flags, blocks._warps(shape), "bf16").asm["cubin"]
assert compiled(blocks._rmatvec, shape | {"WHOLE": False, "SCALED": True}, blocks._warps(shape), "bf16").asm["cubin"]
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    """To machine code of compute capability 9.0, of so few instructions a weight, with the blocks in registers."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), os.environ.get("PYTHONPATH", "")])
    made = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr[-3000:]


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1000, 9000])
def test_captured_products_are_the_eager_ones(kind, d):
    """In a CUDA graph: the same bits, for what is in z and g when it is replayed."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    D = 300_007
    P = make_projection(kind, D, d, 3, "cuda")
    z, g, theta_0 = (normal(size, "x").cuda() for size in (d, D, D))
    out, read = torch.empty_like(theta_0), torch.empty_like(z)

    def step() -> None:
        P.write(z, theta_0, out)
        read.copy_(P.rmatvec(g))
        read.add_(P.read_rows(g[7777:99_999], 7777))

    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()

    z.mul_(-3), g.mul_(0.7)
    graph.replay()
    captured = out.clone(), read.clone()
    step()
    assert torch.equal(captured[0], out)
    assert torch.equal(captured[1], read)
