"""Which coordinates a piece sees: as published, in turns, all of them, and none by too many pieces."""

from hypothesis import given
from hypothesis import strategies as st

from intdim.projections.windows import SHARINGS, Window, seen, windows

SIZES = st.lists(st.integers(1, 400), min_size=1, max_size=12)


def coordinates(window: Window, d: int) -> list[int]:
    return [(window.start + step) % d for step in range(window.count)]


def test_the_published_form_crops_to_the_power_of_two_that_holds_a_tensor():
    """Their code pads z to 2^ceil(log2 D_t) numbers, by a negative pad where z is longer."""
    assert windows([1000, 128, 100, 2, 1], 700, "first") == [
        Window(0, 700), Window(0, 128), Window(0, 128), Window(0, 2), Window(0, 1),
    ]  # fmt: skip


def test_where_no_piece_sees_all_the_largest_take_them_one_after_the_other():
    assert windows([10, 100, 100, 60], 250, "first") == [
        Window(0, 16), Window(0, 128), Window(128, 122), Window(0, 64),
    ]  # fmt: skip


def test_in_turns_short_pieces_follow_each_other_round_and_round():
    assert windows([3, 40, 4, 5, 10], 10, "turns") == [
        Window(0, 3), Window(0, 10), Window(3, 4), Window(7, 5), Window(0, 10),
    ]  # fmt: skip


@given(SIZES, st.floats(0, 1))
def test_every_coordinate_is_seen_and_no_piece_sees_more_than_it_may(sizes, share):
    d = max(1, round(share * sum(sizes)))
    for sharing in SHARINGS:
        chosen, times = windows(sizes, d, sharing), [0] * d
        for size, window in zip(sizes, chosen, strict=True):
            assert 0 <= window.start < d
            assert window.count <= min(d, size if sharing == "turns" else 2 * size - 1)
            for coordinate in coordinates(window, d):
                times[coordinate] += 1
        assert seen(chosen, d).tolist() == times
        assert min(times) >= 1
        if sharing == "turns":
            assert max(times) - min(times) <= 1, "no coordinate is seen by more pieces than another"
