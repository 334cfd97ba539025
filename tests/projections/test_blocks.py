"""Blocks H M H B against matrices written out: both middles, cut rows, sections, and any chunk."""

import pytest
import torch

from intdim.kernels import native, streams
from intdim.kernels.flow import Destination, Gradient, Scaling
from intdim.kernels.reference import hadamard
from intdim.projections.blocks import SignedBlocks, transposed
from intdim.projections.sections import Sections

from .contract import random_vector, relative

SIZE = 64
MIDDLES = ["signs", "gaussians"]
CPU = torch.device("cpu")


def made(rows: int, middle: str, count: int = 1, elements: int = 1 << 18) -> SignedBlocks:
    order = streams.permutation(7, SIZE).int() if middle == "gaussians" else None
    scales = torch.ones(count, dtype=torch.float64)
    return SignedBlocks(rows, Sections(SIZE * count, count, SIZE), scales, 11, 22, order, CPU, elements)


def written_out(blocks: SignedBlocks) -> torch.Tensor:
    """All blocks as a matrix of (rows, sections * size): block k has the columns of section k mod sections."""
    count, H = blocks.sections.count, hadamard(SIZE)
    P = torch.zeros(blocks.blocks * SIZE, count * SIZE, dtype=torch.float64)
    for block in range(blocks.blocks):
        first = block * SIZE
        B = torch.diag(streams.signs(11, first, SIZE, dtype=torch.float64))
        if blocks.order is None:
            right = torch.diag(streams.signs(22, first, SIZE, dtype=torch.float64)) @ H @ B
        else:
            right = torch.diag(streams.gaussians(22, first, SIZE).float().double()) @ (H @ B)[blocks.order.long()]
        section = block % count
        P[first : first + SIZE, section * SIZE : (section + 1) * SIZE] = H @ right
    return P[: blocks.rows]


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize(("rows", "count"), [(64, 1), (320, 1), (300, 1), (7, 1), (320, 2), (389, 3)])
def test_products_are_those_of_the_matrix(rows, count, middle):
    blocks = made(rows, middle, count)
    assert blocks.blocks == -(-rows // SIZE)
    P = written_out(blocks)
    padded, g = random_vector(count * SIZE, "z").view(count, SIZE), random_vector(rows, "g")
    out = torch.empty(rows, dtype=torch.float64)
    blocks.matvec(padded, Destination(out))
    assert relative(out, P @ padded.reshape(-1)) < 1e-13
    back = blocks.rmatvec(Gradient(g))
    assert back.shape == (count, SIZE)
    assert relative(back.reshape(-1), P.t() @ g) < 1e-13


@pytest.mark.parametrize("middle", MIDDLES)
@pytest.mark.parametrize("elements", [1, 200, 1 << 18])
def test_neither_chunk_nor_compiler_changes_a_bit(middle, elements, monkeypatch):
    padded, g = random_vector(SIZE, "z").float().view(1, -1), random_vector(1000, "g").float()

    def products(elements: int) -> tuple[torch.Tensor, torch.Tensor]:
        blocks, out = made(1000, middle, 1, elements), torch.empty(1000)
        blocks.matvec(padded, Destination(out))
        return out, blocks.rmatvec(Gradient(g))

    first = products(1 << 18)
    monkeypatch.setattr(native, "supports", lambda *tensors: False)
    for one, other in zip(first, products(elements), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("middle", MIDDLES)
def test_a_base_and_a_scaling_are_used_at_their_place(middle):
    blocks, padded = made(100, middle), random_vector(SIZE, "z").view(1, -1)
    P, base = written_out(blocks), random_vector(100, "base")
    scaling = Scaling(torch.tensor([0, 70]), torch.tensor([2.0, -0.5], dtype=torch.float64), (0, 70))
    factors = torch.tensor([2.0] * 60 + [-0.5] * 40, dtype=torch.float64)  # the blocks begin at weight 10
    out = torch.empty(100, dtype=torch.float64)
    blocks.matvec(padded, Destination(out, base, None, scaling, offset=10))
    assert relative(out, base + factors * (P @ padded[0])) < 1e-13
    g = random_vector(100, "g")
    assert relative(blocks.rmatvec(Gradient(g, scaling, offset=10))[0], P.t() @ (factors * g)) < 1e-13


def test_no_rows_are_nothing():
    blocks = made(0, "signs", 2)
    assert torch.equal(blocks.rmatvec(Gradient(torch.empty(0))), torch.zeros(2, SIZE))
    assert blocks.chunks == []


@pytest.mark.parametrize("elements", [1, 5, 1 << 18])
def test_gaussians_are_the_stream_in_float32_whatever_is_made_at_once(elements):
    made_at_once = made(130, "gaussians", 1, elements).gaussians
    assert made_at_once.dtype == torch.float32
    torch.testing.assert_close(made_at_once, streams.gaussians(22, 0, 192).float(), rtol=1e-6, atol=0)


def test_transposed_is_a_copy():
    values = torch.arange(6.0).view(2, 3)
    turned = transposed(values)
    assert torch.equal(turned, torch.tensor([[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]))
    assert turned.is_contiguous()
    turned.zero_()
    assert values[1, 2].item() == 5.0
    column = torch.arange(3.0).view(3, 1)  # whose transpose is contiguous as it is
    transposed(column).zero_()
    assert column.sum().item() == 3.0
