"""Rounding to fewer bits: against its definition, bfloat16 itself, and the law of stochastic rounding."""

import math

import pytest
import torch

from intdim.kernels import streams
from intdim.kernels.rounding import Rounding, random_halves, round_randomly, round_to_nearest


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return streams.gaussians(streams.stream_key(seed, "test"), 0, count).float()


def neighbours(value: float, bits: int) -> tuple[float, float]:
    """The numbers with so many bits of mantissa at or below and above ``value``, by frexp."""
    step = 2.0 ** (max(math.frexp(value)[1] - 1, -126) - bits)
    low = math.floor(value / step) * step
    return low, low + step


def test_seven_bits_to_the_nearest_are_bfloat16():
    values = torch.cat([normal(100_000), normal(1000) * 1e-39, normal(1000) * 1e38])
    special = [0.0, -0.0, math.inf, -math.inf, 3.4e38, -3.4e38, 1.00390625, 1.01171875]
    values = torch.cat([values, torch.tensor(special)])
    expected = values.to(torch.bfloat16).float()
    round_to_nearest(values, 7)
    assert torch.equal(values.view(torch.int32), expected.view(torch.int32))


@pytest.mark.parametrize("bits", [1, 4, 5, 8, 12])
def test_the_nearest_neighbour_is_taken_and_even_on_a_tie(bits):
    values = normal(300)
    values[:2] = torch.tensor([1 + 0.5 * 2.0**-bits, 1 + 1.5 * 2.0**-bits])
    found = values.clone()
    round_to_nearest(found, bits)
    assert found[:2].tolist() == [1.0, 1 + 2 * 2.0**-bits]
    for value, made in zip(values[2:].tolist(), found[2:].tolist(), strict=True):
        low, high = neighbours(value, bits)
        assert made == (low if value - low < high - value else high)


@pytest.mark.parametrize("bits", [3, 7, 10])
def test_stochastic_rounding_follows_its_definition(bits):
    """Up, in magnitude, where the random bits and the dropped ones overflow."""
    key, count, dropped = streams.stream_key(5, "x"), 400, min(23 - bits, 16)
    values = normal(count)
    found = values.clone()
    round_randomly(found, bits, key, 7)
    for index, (value, made) in enumerate(zip(values.tolist(), found.tolist(), strict=True), start=7):
        random = (streams.word(key, index // 4) >> 16 * (index % 4)) % 2**16
        low, high = neighbours(abs(value), bits)
        up = (abs(value) - low) / (high - low) + (random >> 16 - dropped) / 2**dropped >= 1
        assert made == math.copysign(high if up else low, value)


@pytest.mark.parametrize("bits", [4, 7])
def test_stochastic_rounding_is_right_in_the_mean(bits):
    """The mean over 4000 steps, within 5 standard errors for each of 50 weights (fails once in 30,000)."""
    values, steps = normal(50), 4000
    total = torch.zeros(50, dtype=torch.float64)
    for step in range(steps):
        found = values.clone()
        Rounding(bits, stochastic=True, seed=3).apply(found, step)
        total += found.double()
    for value, mean in zip(values.double().tolist(), (total / steps).tolist(), strict=True):
        low, high = neighbours(value, bits)
        share = (value - low) / (high - low)
        assert abs(mean - value) <= 5 * (high - low) * math.sqrt(share * (1 - share) / steps) + 2**-16 * (high - low)


def test_nearest_loses_a_small_update_and_stochastic_keeps_it():
    theta_0 = normal(200_000) * 0.02
    round_to_nearest(theta_0, 7)  # a checkpoint in bf16
    update = normal(200_000, 1) * 1e-5  # a tenth of a step between numbers
    nearest, random = theta_0 + update, theta_0 + update
    Rounding().apply(nearest, 0)
    Rounding(stochastic=True).apply(random, 0)
    kept = [((rounded - theta_0).double() @ update.double() / update.double().square().sum()).item()
            for rounded in (nearest, random)]  # fmt: skip
    assert kept[0] < 0.5
    assert kept[1] == pytest.approx(1, abs=0.05)


def test_pieces_and_seeds_and_steps():
    values, whole = normal(1 << 19), normal(1 << 19)
    rounding = Rounding(7, stochastic=True, seed=1)
    rounding.apply(whole, 2)
    for start, stop in ((0, 5), (5, 300_001), (300_001, 1 << 19)):
        rounding.apply(values[start:stop], 2, first=start)
    assert torch.equal(values, whole)
    others = [Rounding(7, True, 2), Rounding(7, True, 1)]
    for other, step in zip(others, (2, 3), strict=True):
        found = normal(1 << 19)
        other.apply(found, step)
        assert 0.2 < (found != whole).float().mean() < 0.5
    again = whole.clone()
    rounding.apply(again, 9)
    assert torch.equal(again, whole), "what is on the grid stays"


def test_not_a_number_and_infinity_stay():
    special = torch.tensor([math.nan, math.inf, -math.inf])
    special.view(torch.int32)[0] = 0x7F800001  # NaN whose last bit alone says so
    for rounding in (Rounding(4), Rounding(4, stochastic=True)):
        found = special.clone()
        rounding.apply(found, 0)
        assert torch.equal(found.view(torch.int32), special.view(torch.int32))


def test_random_bits_are_those_of_the_words():
    key = streams.stream_key(0, "x")
    expected = [(streams.word(key, index // 4) >> 16 * (index % 4)) % 2**16 for index in range(3, 30)]
    assert random_halves(key, 3, 27).tolist() == expected
