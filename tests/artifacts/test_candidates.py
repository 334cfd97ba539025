"""The candidates: each message once, short ones first; those that cannot become the best are not scored."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.artifacts.candidates import SLACK, quantisations, score, screen, starting_points
from intdim.artifacts.scorer import Scorer
from intdim.bounds import occam_binomial
from intdim.coding import encode
from intdim.request import BoundRequest
from tests import finished_runs

ASKED = BoundRequest(0.05, (2, 3, 5, 64), ("uniform", "kmeans"), 0)


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    run = finished_runs.make(folder)
    return Scorer(run, run.runtime)


def test_each_message_once_and_short_ones_first(scorer: Scorer) -> None:
    made = quantisations(scorer.spec, scorer.state, ASKED)
    assert len({encode(one.message)[0] for one in made}) == len(made)
    assert [one.bits for one in made] == sorted(encode(one.message)[1] for one in made)
    assert {one.levels for one in made} >= {2, 3, 5}
    assert all(len(one.message.z.symbols) == scorer.spec.d for one in made)


def test_what_its_length_alone_rules_out_is_not_scored(scorer: Scorer) -> None:
    made = quantisations(scorer.spec, scorer.state, ASKED)
    scorer.place(scorer.state)
    unquantised = scorer.train_error()
    ranked = screen(scorer, made, unquantised, 0.05)
    assert [one.bound for one in ranked] == sorted(one.bound for one in ranked)
    assert 0 < len(ranked) < len(made)
    lowest = min(unquantised, *(one.error for one in ranked))
    kept = {id(one.candidate) for one in ranked}
    for one in made:
        hoped_for = occam_binomial(max(0.0, lowest - SLACK), one.bits, scorer.n, 0.05)
        assert id(one) in kept or hoped_for > ranked[0].bound


def test_the_bound_is_that_of_the_error_on_all_training_examples(scorer: Scorer) -> None:
    candidate = quantisations(scorer.spec, scorer.state, ASKED)[0]
    scored = score(scorer, candidate, 0.05)
    assert scored.error == scorer.train_error()
    assert scored.bound == occam_binomial(scored.error, candidate.bits, scorer.n, 0.05)


def test_training_begins_at_the_best_and_at_the_plainest_with_the_fewest_levels(scorer: Scorer) -> None:
    made = quantisations(scorer.spec, scorer.state, ASKED)
    best = made[-1]
    chosen = starting_points(best, made)
    assert chosen[0] is best
    assert [one.levels for one in chosen[1:]] == sorted({one.levels for one in made})[:2]
    assert all(one.pressure == 0.0 for one in chosen[1:])
    assert starting_points(chosen[1], made) == chosen[1:], "none is trained on twice"
