"""The inequalities: published runs, their order, coverage, and arguments that are refused."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from intdim.bounds import (
    catoni,
    occam_binomial,
    occam_hoeffding,
    occam_kl,
    pac_bayes_kl,
    share_upper,
)
from intdim.errors import UserError

LINES = (Path(__file__).parent / "lotfi2022_runs.csv").read_text(encoding="utf-8").splitlines()
RUNS = list(csv.DictReader(line for line in LINES if not line.startswith("#")))
BOUNDS = (occam_hoeffding, occam_kl, occam_binomial, pac_bayes_kl, catoni)


@pytest.mark.parametrize("row", RUNS, ids=lambda row: f"{row['dataset']}-{row['model']}-{row['d']}")
def test_published_runs(row: dict[str, str]) -> None:
    error, n = float(row["quant_train_err_pct"]) / 100, int(row["n"])
    bits = float(row["prefix_message_len_bits"]) + float(row["misc_extra_bits"])
    assert 100 * catoni(error, bits, n) == pytest.approx(float(row["bound_pct_recomputed_pactl_opt"]), abs=0.001)
    assert 100 * occam_hoeffding(error, bits, n) == pytest.approx(float(row["bound_pct_hoeffding_occam"]), abs=0.001)
    assert 100 * pac_bayes_kl(error, bits, n) == pytest.approx(float(row["bound_pct_kl_maurer"]), abs=0.001)
    assert 100 * occam_kl(error, bits, n) == pytest.approx(float(row["bound_pct_kl_chernoff_occam"]), abs=0.001)


def test_the_published_search_missed_twice_and_the_other_does_not() -> None:
    missed = [row for row in RUNS if float(row["bound_pct_recomputed_pactl_opt"]) == 100.0]
    assert len(RUNS) == 27
    assert len(missed) == 2
    for row in missed:
        error, bits, n = float(row["quant_train_err_pct"]) / 100, float(row["prefix_message_len_bits"]) - 2, 12_000
        assert 0.816 < catoni(error, bits, n, search="best") < 0.817


@pytest.mark.parametrize("n", [1, 2, 17, 900, 60_000])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.93, 1.0])
@pytest.mark.parametrize("bits", [0, 3.5, 800, 40_000])
def test_each_bound_is_at_least_the_error_and_they_stand_in_order(n: int, share: float, bits: float) -> None:
    error = round(share * n) / n
    tail, chernoff, hoeffding = (bound(error, bits, n, 0.05) for bound in (occam_binomial, occam_kl, occam_hoeffding))
    assert error <= tail <= chernoff + 1e-9 <= hoeffding + 2e-9 <= 1 + 2e-9
    assert chernoff <= pac_bayes_kl(error, bits, n, 0.05) + 1e-12
    assert chernoff <= catoni(error, bits, n, 0.05, search="best") + 1e-6 <= catoni(error, bits, n, 0.05) + 2e-6


def test_the_kl_bound_solves_its_equation() -> None:
    p, q, exponent = occam_kl(0.0393, 6842, 60_000, 0.05), 0.0393, (6842 * math.log(2) + math.log(20)) / 60_000
    assert q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p)) == pytest.approx(exponent, rel=1e-9)
    assert occam_kl(0.0, 10, 500, 0.1) == pytest.approx(1 - math.exp(-(10 * math.log(2) + math.log(10)) / 500))


@pytest.mark.parametrize(("errors", "n"), [(0, 1), (0, 50), (3, 50), (49, 50), (800, 2000)])
@pytest.mark.parametrize("log_delta", [-0.01, -3.0, -40.0, -590.0, -610.0, -5000.0])
def test_the_tail_is_solved_also_where_its_probability_underflows(errors: int, n: int, log_delta: float) -> None:
    p = share_upper(errors, n, log_delta)
    if p < 1 - 1e-12:
        terms = [binom.logpmf(k, n, p) for k in range(errors + 1)]
        assert np.logaddexp.reduce(terms) == pytest.approx(log_delta, rel=1e-6)
    else:
        assert np.logaddexp.reduce([binom.logpmf(k, n, 1 - 1e-12) for k in range(errors + 1)]) > log_delta
    assert share_upper(errors, n, log_delta - 1) >= p
    assert share_upper(n, n, log_delta) == 1.0


def test_a_share_between_two_counts_is_rounded_up() -> None:
    assert occam_binomial(0.123, 20, 100) == occam_binomial(0.13, 20, 100)
    assert occam_binomial(0.13, 20, 100) > occam_binomial(0.12, 20, 100)
    assert occam_binomial(0.1 + 0.2, 5, 10) == occam_binomial(0.3, 5, 10)


def test_the_best_of_many_coded_classifiers_is_covered() -> None:
    """256 classifiers of 8 bits each, the best on the sample is chosen: the bound must hold in at least 1 - delta."""
    rng, n, delta, truth = np.random.default_rng(3), 200, 0.2, 0.4
    errors = rng.binomial(n, truth, size=(2000, 256)).min(axis=1) / n
    bounds = {value: occam_binomial(value, 8, n, delta) for value in np.unique(errors)}
    failures = np.mean([bounds[value] < truth for value in errors])
    assert failures <= delta  # 0.2 is allowed; four standard errors above it would be 0.236
    unpaid = {value: occam_binomial(value, 0, n, delta) for value in np.unique(errors)}
    assert np.mean([unpaid[value] < truth for value in errors]) > 0.9  # without the bits of the choice it fails


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"delta": 0.0}, "delta=0.0"),
        ({"delta": 1.0}, "delta=1.0"),
        ({"delta": -0.1}, "delta=-0.1"),
        ({"delta": math.nan}, "delta=nan"),
        ({"train_error": -0.01}, "train_error=-0.01"),
        ({"train_error": 1.01}, "train_error=1.01"),
        ({"train_error": math.nan}, "train_error=nan"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"bits": -1}, "bits=-1"),
        ({"bits": math.inf}, "bits=inf"),
    ],
)
def test_refused_arguments(bound, change: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        bound(**({"train_error": 0.1, "bits": 100, "n": 1000, "delta": 0.05} | change))


def test_all_faults_are_reported_at_once_and_a_search_must_be_known() -> None:
    with pytest.raises(UserError, match=r"train_error=2; delta=3"):
        occam_kl(2, 10, 10, 3)
    with pytest.raises(UserError, match="unknown search"):
        catoni(0.1, 10, 100, 0.05, search="none")
