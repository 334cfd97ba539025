"""How far a verdict depends on the search's own randomness: recorded sweeps, judged again with other internal seeds."""

from __future__ import annotations

from collections import Counter

import pytest

from intdim.search import estimate, make_search
from tests.search.made import FAMILIES, SETTING, drive, noisy

SEEDS = 20


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_same_runs_give_the_same_status_with_19_of_20_internal_seeds(family):
    search = make_search("posterior", **SETTING, max_runs=16, seed=0)
    observed = drive(search, noisy(FAMILIES[family](6.0), 3, noise=0.01, collapse=0.04), batch=2)
    points = [(d, score) for d, score, _ in observed]

    verdicts = [estimate(points, **SETTING, seed=seed, seeds=3) for seed in range(SEEDS)]
    ((_, most),) = Counter(verdict.status for verdict in verdicts).most_common(1)
    assert most >= SEEDS - 1
