"""What every projection must do on a GPU: windows, half precision, scales, the same bits each time, CUDA graphs."""

import pytest
import torch

from intdim.kernels.flow import Scaling
from intdim.projections import Projection, make_projection

from .test_native import normal

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
each = pytest.mark.parametrize("kind", ["one_hot", "orthogonal", "fastfood", "kronecker", "sparse"])
D, d = 300_007, 1000


def close(value: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two vectors differ by rounding in float32."""
    return ((value.cpu().double() - expected.cpu().double()).norm() < 3e-6 * expected.double().norm()).item()


def scaling(device: str) -> Scaling:
    starts = (0, 100_003, 100_004)
    return Scaling(torch.tensor(starts, device=device), torch.tensor([0.3, -2.0, 1.7], device=device), starts)


def both(kind: str) -> tuple[Projection, Projection]:
    return make_projection(kind, D, d, 3), make_projection(kind, D, d, 3, "cuda")


@each
def test_windows_of_rows(kind):
    here, there = both(kind)
    g = normal(D, "g")
    for start, stop in ((0, D), (0, 1000), (65_000, 140_001), (D - 50_000, D)):
        found = there.read_rows(g[start:stop].cuda(), start)
        assert close(found, here.read_rows(g[start:stop].double(), start))
        assert torch.equal(found, there.read_rows(g[start:stop].cuda(), start))


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_and_half_precision(kind, dtype):
    here, there = both(kind)
    z, theta_0, g = normal(d, "z"), normal(D, "theta").to(dtype), normal(D, "g").to(dtype)
    expected, image = torch.empty(D), torch.empty(D)
    here.write(z, theta_0.float(), expected, scaling("cpu"), image)
    out, seen = torch.empty_like(theta_0, device="cuda"), torch.empty(D, device="cuda")
    there.write(z.cuda(), theta_0.cuda(), out, scaling("cuda"), seen)
    assert close(seen, image)
    limit = expected.abs() * (2.0**-8 if dtype == torch.bfloat16 else 3e-6) + 1e-6
    assert ((out.cpu().float() - expected).abs() <= limit).all()
    assert close(there.read(g.cuda(), scaling("cuda")), here.read(g.float(), scaling("cpu")))


@each
def test_no_setting_of_torch_changes_products(kind):
    P, z, g = make_projection(kind, D, d, 3, "cuda"), normal(d, "z").cuda(), normal(D, "g").cuda()
    expected = P.matvec(z), P.rmatvec(g)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert torch.equal(P.matvec(z), expected[0])
        assert torch.equal(P.rmatvec(g), expected[1])
    finally:
        torch.set_float32_matmul_precision(before)


@each
def test_a_captured_product_is_the_eager_one(kind):
    P, z, g = make_projection(kind, D, d, 3, "cuda"), normal(d, "z").cuda(), normal(D, "g").cuda()
    theta_0, out = normal(D, "theta").cuda(), torch.empty(D, device="cuda")
    window = g[65_000:140_001]

    def products() -> tuple[torch.Tensor, torch.Tensor]:
        P.write(z, theta_0, out, scaling_on_gpu)
        return P.read(g, scaling_on_gpu), P.read_rows(window, 65_000)

    scaling_on_gpu = scaling("cuda")
    expected = *products(), out.clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        products()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = products()
    out.zero_()
    graph.replay()
    for one, other in zip((*captured, out), expected, strict=True):
        assert torch.equal(one, other)

    z.mul_(2)
    g.mul_(2)
    graph.replay()
    assert torch.equal(captured[0], expected[0] * 2)


@each
def test_products_do_not_wait_for_the_host(kind):
    P, z, g = make_projection(kind, D, d, 3, "cuda"), normal(d, "z").cuda(), normal(D, "g").cuda()
    theta_0, out, scales = normal(D, "theta").cuda(), torch.empty(D, device="cuda"), scaling("cuda")
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        P.write(z, theta_0, out, scales)
        P.read(g, scales)
        P.read_rows(g[1000:2000], 1000)
    finally:
        torch.cuda.set_sync_debug_mode(before)
