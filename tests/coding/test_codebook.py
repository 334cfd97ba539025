"""Codebooks: written and read, steps, and levels fitted near the optimum."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.coding.bits import BitReader, BitWriter, Damaged
from intdim.coding.codebook import KINDS, LARGEST_LEVEL, Codebook, _bits, assign, even, fit, step_number, step_size


@pytest.mark.parametrize("book", [Codebook(0, (0,)), Codebook(-13, (-1, 1)), Codebook(5, (-7, 0, 1, 90))])
def test_codebooks_come_back(book: Codebook) -> None:
    out = BitWriter()
    book.write(out)
    assert Codebook.read(BitReader(out.to_bytes())) == book
    np.testing.assert_allclose(book.values, step_size(book.step) * np.array(book.multiples), rtol=1e-6)


def test_steps_are_eighths_of_an_octave() -> None:
    sizes = [step_size(number) for number in range(-40, 40)]
    np.testing.assert_allclose(sizes, 2 ** (np.arange(-40, 40) / 8), rtol=1e-4)
    assert [step_number(size) for size in sizes] == list(range(-40, 40))
    assert even(1) == (0,)
    assert even(2) == (-1, 1)
    assert even(5) == (-4, -2, 0, 2, 4)


# the smallest mean squared error of L levels for a standard normal: Max 1960, table I
BEST = {2: 0.3634, 3: 0.1902, 5: 0.07994, 9: 0.02785, 17: 0.008547}
BEST_EVEN = {2: 0.3634, 3: 0.1902, 5: 0.08218, 9: 0.03093, 17: 0.01062}


@pytest.mark.parametrize("levels", sorted(BEST))
@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_near_the_best_possible(levels: int, kind: str) -> None:
    values = np.random.default_rng(4).normal(3e-3 if kind == "uniform" else 2, 50, 20_000) / 50
    book, chosen = fit(values, levels, kind)
    error = float(((values - book.values[chosen]) ** 2).mean())
    best = (BEST if kind == "kmeans" else BEST_EVEN)[levels]
    assert 0.95 * best < error < 1.25 * best  # the step is one of eight an octave, k-means levels are rounded
    assert len(book.multiples) <= levels
    assert book.is_uniform or kind == "kmeans"


@pytest.mark.parametrize("values", [[0.0] * 5, [0.7] * 5, [-0.7], [0.0], [], [1e-38, -1e-38], [0.0, 1e30]])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_odd_rows_of_values(values: list[float], kind: str, levels: int) -> None:
    book, chosen = fit(np.array(values), levels, kind, 0.1)
    assert len(chosen) == len(values)
    assert 1 <= len(book.multiples) <= levels
    got = book.values[chosen] if len(values) else np.array([])
    assert np.isfinite(got).all()
    if levels > 1 and len(set(values)) == 1:
        np.testing.assert_allclose(got, values, rtol=0.05)


def written(book: Codebook) -> BitWriter:
    out = BitWriter()
    book.write(out)
    return out


@pytest.mark.parametrize(
    ("book", "bits"),
    [
        (Codebook(5, (0,)), 1 + 1),  # uniform, gamma(1); the step of 0 is not sent
        (Codebook(0, (-1, 1)), 1 + 3 + 1),  # gamma(2), signed(0)
        (Codebook(1, (-2, 0, 2)), 1 + 3 + 3),  # gamma(3), signed(1)
        (Codebook(0, (0, 1)), 1 + 3 + 1 + 1 + 1),  # not uniform: the first level and the distance
    ],
)
def test_what_a_codebook_costs(book: Codebook, bits: int) -> None:
    assert len(written(book)) == bits


@pytest.mark.parametrize(
    ("multiples", "uniform"), [((0,), True), ((-1, 1), True), ((-2, 0, 2), True), ((-1, 0), False)]
)
def test_uniform_is_even_around_zero(multiples: tuple[int, ...], uniform: bool) -> None:
    assert Codebook(0, multiples).is_uniform is uniform


def test_values_are_float32_multiples_of_the_step() -> None:
    values = Codebook(-8, (-3, 0, 5)).values
    assert values.dtype == np.float32
    assert values.tolist() == [-1.5, 0.0, 2.5]


@pytest.mark.parametrize(
    ("step", "multiples", "fact"),
    [
        (801, (-1, 1), "step"),
        (0, (LARGEST_LEVEL + 1,), "too large"),
        (8 * 99, (1, LARGEST_LEVEL), "too large"),  # the largest level times 2^99 is above 1e38
    ],
)
def test_what_no_float32_holds_is_damage(step: int, multiples: tuple[int, ...], fact: str) -> None:
    with pytest.raises(Damaged, match=fact):
        Codebook.read(BitReader(written(Codebook(step, multiples)).to_bytes()))


def test_too_many_levels_are_damage() -> None:
    out = BitWriter()
    out.bit(0)
    out.gamma((1 << 16) + 1)
    with pytest.raises(Damaged, match="65537 levels"):
        Codebook.read(BitReader(out.to_bytes()))


def test_a_value_goes_to_the_nearest_level_and_halfway_to_the_lower() -> None:
    levels = np.array([-1.0, 0.0, 2.0])
    assert assign(np.array([-9.0, -0.5, -0.4, 0.9, 1.0, 1.1, 50.0]), levels, 0.0, 1.0).tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_under_pressure_a_rare_level_is_avoided() -> None:
    values = np.array([0.0] * 50 + [0.6])
    levels = np.array([0.0, 1.0])
    assert assign(values, levels, 0.0, 1.0)[-1] == 1
    assert assign(values, levels, 0.1, 1.0)[-1] == 0  # 0.16 + 0.1 * 5 bits against 0.36


def test_bits_of_levels_by_how_often_they_are_chosen() -> None:
    assert _bits(np.array([0, 0, 0, 1]), 3) == pytest.approx(-np.log2(np.array([3.5, 1.5, 0.5]) / 5.5))


def test_kmeans_finds_separated_heaps_and_drops_empty_levels() -> None:
    values = np.repeat([-4.0, 1.0, 6.0], 30)
    book, chosen = fit(values, 3, "kmeans")
    assert len(book.multiples) == 3
    assert np.abs(book.values[chosen] - values).max() < 0.5 * step_size(book.step) + 1e-6
    more, picked = fit(values, 9, "kmeans")
    assert set(picked.tolist()) == set(range(len(more.multiples)))


def test_fitting_is_deterministic_and_its_rows_are_indices() -> None:
    values = np.random.default_rng(0).normal(size=400)
    for kind in KINDS:
        (one, first), (other, second) = fit(values, 5, kind, 0.1), fit(values, 5, kind, 0.1)
        assert one == other
        assert first.tolist() == second.tolist()
        assert 0 <= first.min() <= first.max() < len(one.multiples)
