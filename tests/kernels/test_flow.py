"""Where products go: lanes and chunks, segments of a scaling, and what happens to a piece."""

import pytest
import torch

from intdim.kernels.flow import Destination, Gradient, Scaling, add_lanes, chunks, lanes


@pytest.mark.parametrize(("count", "length"), [(0, 256), (1, 256), (1000, 256), (1000, 65_536), (5, 1 << 20), (17, 1)])
def test_chunks_cover_every_piece_once_and_stay_in_their_round(count, length):
    many = lanes(count, length)
    assert 1 <= many <= max(1, count)
    for at_once in (0, 1, 3, 10**6):
        found = chunks(count, many, at_once)
        assert [k for first, size in found for k in range(first, first + size)] == list(range(count))
        assert all(first // many == (first + size - 1) // many for first, size in found)


def test_lanes_are_added_in_order():
    sums = torch.tensor([[1e8], [1.0], [-1e8], [1.0]])
    assert add_lanes(sums).item() == ((1e8 + 1.0) - 1e8) + 1.0 == 2.0 or add_lanes(sums).item() == 1.0


@pytest.mark.parametrize(
    ("count", "length", "sections", "expected"),
    [
        (1000, 256, 1, 256),  # 65,536 numbers in all lanes
        (1000, 1 << 20, 1, 16),  # the fewest
        (5, 256, 1, 5),  # no more than pieces
        (0, 256, 1, 1),
        (1000, 256, 3, 255),  # a multiple of the sections
        (7, 256, 3, 9),
        (1000, 1 << 20, 40, 40),  # one for each section, although that is more than the fewest
    ],
)
def test_the_number_of_lanes_depends_on_the_sizes_alone(count, length, sections, expected):
    assert lanes(count, length, sections) == expected


def scaling() -> Scaling:
    return Scaling(torch.tensor([0, 3, 4]), torch.tensor([2.0, -1.0, 0.5]), (0, 3, 4))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 9, [(0, 3, 2.0), (3, 4, -1.0), (4, 9, 0.5)]),
        (1, 3, [(1, 3, 2.0)]),
        (3, 4, [(3, 4, -1.0)]),
        (2, 5, [(2, 3, 2.0), (3, 4, -1.0), (4, 5, 0.5)]),
        (7, 9, [(7, 9, 0.5)]),
        (5, 5, []),
    ],
)
def test_segments_are_cut_to_what_is_asked_for(first, last, expected):
    assert [(low, high, factor.item()) for low, high, factor in scaling().pieces(first, last)] == expected


def test_a_destination_writes_pieces_in_any_order():
    base, out, image = torch.arange(6.0), torch.full((6,), torch.nan), torch.full((6,), torch.nan)
    to = Destination(out, base, image, scaling())
    to.put(4, torch.tensor([10.0, 20.0]))
    to.put(0, torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert image.tolist() == [1.0, 2.0, 3.0, 4.0, 10.0, 20.0]
    assert out.tolist() == [2.0, 5.0, 8.0, -1.0, 9.0, 15.0]
    assert base.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_without_a_scaling_or_a_base():
    out = torch.empty(3)
    Destination(out).put(0, torch.tensor([1.0, 2.0, 3.0]))
    assert out.tolist() == [1.0, 2.0, 3.0]
    Destination(out, torch.full((3,), 10.0)).put(1, torch.tensor([5.0, 6.0]))
    assert out.tolist() == [1.0, 15.0, 16.0]
    image = torch.zeros(3)
    Destination(None, None, image).put(2, torch.tensor([7.0]))
    assert image.tolist() == [0.0, 0.0, 7.0]


def test_a_part_keeps_its_place_among_the_segments():
    out, image = torch.zeros(6), torch.zeros(6)
    part = Destination(out, torch.zeros(6), image, scaling()).part(2, 5)
    assert part.offset == 2
    part.put(0, torch.ones(3))
    assert out.tolist() == [0.0, 0.0, 2.0, -1.0, 0.5, 0.0]
    assert image.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    part.part(1, 3).put(1, torch.tensor([8.0]))
    assert out[4].item() == 4.0


def test_a_buffer_is_the_destinations_own_memory_where_nothing_is_copied_then():
    out, image, like = torch.zeros(4), torch.zeros(4), torch.zeros(2)
    own = lambda buffer, of: buffer.data_ptr() == of[1:].data_ptr() and buffer.numel() == 2  # noqa: E731
    assert own(Destination(out).buffer(1, 3, like), out)
    assert own(Destination(out, out, image).buffer(1, 3, like), image)
    assert own(Destination(out, None, image).buffer(1, 3, like), image)
    fresh = Destination(out, out).buffer(1, 3, like)
    assert not own(fresh, out)
    assert fresh.shape == (2,)
    wider = Destination(out).buffer(1, 3, like.double())
    assert wider.dtype == torch.float64

    buffer = Destination(out).buffer(1, 3, like)
    buffer.fill_(5.0)
    Destination(out).put(1, buffer)
    assert out.tolist() == [0.0, 5.0, 5.0, 0.0]


def test_a_gradient_is_read_with_its_scaling():
    g = torch.arange(1.0, 7.0)
    assert Gradient(g).take(1, 3).data_ptr() == g[1:].data_ptr()
    assert Gradient(g, scaling()).take(2, 6).tolist() == [6.0, -4.0, 2.5, 3.0]
    part = Gradient(g, scaling()).part(3, 6)
    assert part.offset == 3
    assert part.take(0, 2).tolist() == [-4.0, 2.5]
    assert g.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.mark.parametrize(("dtype", "read"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_gradients_are_read_in_float32(dtype, read):
    assert Gradient(torch.ones(2, dtype=dtype)).take(0, 2).dtype == read
