from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from intdim.ledger.verdict import Verdict
from intdim.report import words

from . import fake


@pytest.fixture
def found(out: Path) -> Verdict:
    return fake.record(out, d90=1250.0, d90_low=900.0, d90_high=1600.0).verdict


@pytest.mark.parametrize(
    ("status", "cell", "line"),
    [
        ("found", "1,250", "d90 = 1,250 (90 % interval 900 to 1,600)"),
        ("below_range", "≤ 8", "d90 ≤ 8 (threshold reached already at the smallest d)"),
        ("above_range", "> 65,536", "d90 > 65,536 (threshold not reached at the largest d)"),
        ("not_monotone", "–", "No d90: the scores do not rise with d"),
        ("no_baseline", "–", "No d90: full fine-tuning does not beat chance"),
        ("budget_spent", "–", "No d90: the runs were used up first; so far 900 to 1,600"),
    ],
)
def test_each_status_has_its_words(found: Verdict, status: str, cell: str, line: str) -> None:
    verdict = replace(found, status=status)
    assert words.d90_cell(verdict, (8, 65536)) == cell
    assert words.verdict_line(verdict) == line
    assert status in words.MEANINGS


def test_a_line_says_what_lowers_its_worth(found: Verdict) -> None:
    seeds = replace(found, d90_low_seeds=950.0, d90_high_seeds=1500.0)
    assert words.verdict_line(seeds).endswith("(90 % interval 900 to 1,600; by the seeds alone 950 to 1,500)")
    same = replace(found, d90_low_seeds=900.0, d90_high_seeds=1600.0)
    assert words.verdict_line(same) == words.verdict_line(found)
    assert words.verdict_line(replace(found, trivial=True)).endswith("; chance alone meets this threshold")
    few = replace(found, status="budget_spent", limit="examples")
    assert words.verdict_line(few) == "No d90: the evaluation split is too small; so far 900 to 1,600"


def test_an_interval_has_two_ends(found: Verdict) -> None:
    assert words.interval(found) == (900.0, 1600.0)
    assert words.interval(replace(found, d90_high=None)) is None
    assert words.interval_words(found) == "900 to 1,600"
    assert words.interval_words(replace(found, d90_low=None)) == "below 1,600"
    assert words.interval_words(replace(found, d90_high=None)) == "above 900"
    assert words.interval_words(replace(found, d90_low=None, d90_high=None)) == "–"
    assert "interval" not in words.verdict_line(replace(found, d90_low=None))


def test_an_interval_is_known_where_it_says_where_d90_is(found: Verdict) -> None:
    assert words.known_words(found) == "900 to 1,600"
    assert words.known_words(replace(found, status="budget_spent", d90_high=None)) == "above 900"
    assert words.known_words(replace(found, status="above_range", d90_low=65_536.0, d90_high=None)) == "–"
    assert words.known_words(replace(found, status="not_monotone")) == "–"


def test_numbers_in_words() -> None:
    assert words.whole(1234567.4) == "1,234,567"
    assert (words.score(0.5), words.score(0.5, 4), words.score(None)) == ("0.500", "0.5000", "–")
    assert (words.with_error(0.5, 0.01), words.with_error(0.5, None)) == ("0.500 ± 0.010", "0.500")
    assert (words.count(1, "seed"), words.count(3, "seed")) == ("1 seed", "3 seeds")


def test_names_in_words(found: Verdict) -> None:
    assert words.subspace_words(found) == "DID · fastfood · global scope"
    said = replace(found, method="said", groups="layer", m=4)
    assert words.subspace_words(said) == "SAID · fastfood · global scope · 4 scales, one per layer"
    assert words.threshold_words("above_chance", 0.9) == "90 % of the gain over chance"
    assert words.threshold_words("absolute", 0.85) == "85 % of the score"
    assert (words.metric_range("matthews"), words.metric_range("accuracy")) == ("−1 to 1", "0 to 1")


def test_one_seed_shows_no_spread(found: Verdict) -> None:
    assert words.baseline_spread(found) == found.baseline_std
    assert words.baseline_spread(replace(found, baseline_seeds=1)) is None
