"""The driver of d90 over simulated runs: verdicts, sharing, resuming, failures, dimensions."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from intdim.drivers.sweep import run_cells
from intdim.errors import Interrupted, RunFailed, UserError
from intdim.ledger.store import Ledger
from intdim.spec import SearchSpec, SubspaceSpec
from tests import cells

COLUMNS = [
    "sweep_id",
    "model",
    "task",
    "projection",
    "method",
    "scope",
    "groups",
    "status",
    "d90",
    "d90_low",
    "d90_high",
    "level",
    "threshold",
    "threshold_kind",
    "fraction",
    "chance",
    "baseline_mean",
    "baseline_std",
    "baseline_seeds",
    "metric",
    "D",
    "m",
    "runs",
    "seconds",
    "run_ids",
]


def sweep(out, world, *requests):
    return run_cells(list(requests) or [cells.cell()], cells.runtime(out), launcher=world.launcher())


def truth(middle=5.5, threshold=0.81):
    share = (threshold - 0.5) / 0.4
    return math.exp(middle + 0.7 * math.log(share / (1 - share)))


def test_a_verdict_with_its_files(out):
    world = cells.Simulated()
    (verdict,) = sweep(out, world)
    assert verdict.status == "found"
    assert verdict.d90_low <= verdict.d90 <= verdict.d90_high
    assert abs(math.log(verdict.d90 / truth())) < math.log(1.25)
    folder = out / "sweeps" / verdict.sweep_id
    assert list(json.loads((folder / "verdict.json").read_text()))[: len(COLUMNS)] == COLUMNS
    assert {"spec.json", "verdict.json", "points.csv"} <= {file.name for file in folder.iterdir()}
    assert (folder / "points.csv").read_text().splitlines()[0] == "d,score_mean,score_std,seeds,step_length,run_ids"
    assert verdict.baseline_seeds == 3
    assert verdict.learning_rate == 3e-3
    assert verdict.threshold == pytest.approx(0.9 * verdict.baseline_mean)
    assert verdict.other.threshold_kind == "above_chance"
    assert verdict.other.threshold == pytest.approx(0.5 + 0.9 * (verdict.baseline_mean - 0.5))
    assert all((out / "runs" / run_id / "spec.json").exists() for run_id in verdict.run_ids)
    assert len(world.made) == verdict.runs
    assert len({spec.run_id for spec in world.made}) == len(world.made), "no run twice"


def test_fresh_seeds_everywhere(out):
    world = cells.Simulated()
    (verdict,) = sweep(out, world)
    told = [spec for spec in world.made if spec.run_id in verdict.run_ids]
    assert len({spec.seed for spec in told}) == len(told)


def test_a_second_command_runs_nothing(out):
    first = sweep(out, cells.Simulated())
    again = cells.Simulated()
    assert sweep(out, again) == first
    assert again.made == []


def test_interrupted_anywhere_the_verdict_is_the_same(tmp_path):
    (whole,) = sweep(tmp_path / "whole", cells.Simulated())
    for stop in (0, 1, 4, 7, 12, 17):
        out = tmp_path / f"stop-{stop}"
        broken = cells.Simulated()
        broken.stop_after = stop
        with pytest.raises(Interrupted):
            sweep(out, broken)
        assert len(broken.made) == stop
        rest = cells.Simulated()
        (verdict,) = sweep(out, rest)
        assert verdict == whole
        assert len(rest.made) == whole.runs - stop, "finished runs are not repeated"


def test_the_interval_holds_the_error_of_the_evaluation_examples(tmp_path):
    """The same runs, with answers kept and without: the same questions, and a wider interval from paired draws."""
    verdicts = []
    for kept in (True, False):
        world = cells.Simulated()
        world.examples, world.kept = 600, kept
        verdicts += sweep(tmp_path / str(kept), world)
    blurred, sharp = verdicts
    assert blurred.run_ids == sharp.run_ids
    assert blurred.status == sharp.status == "found"
    assert blurred.d90 == pytest.approx(sharp.d90, rel=0.05), "what the ceiling tells of the examples moves it a little"
    assert blurred.d90_low_seeds == sharp.d90_low_seeds >= sharp.d90_low, "the step lengths widen both"
    assert blurred.d90_high_seeds == sharp.d90_high_seeds <= sharp.d90_high
    assert blurred.d90_high / blurred.d90_low > 1.05 * sharp.d90_high / sharp.d90_low
    assert "by the seeds alone" in blurred.message
    # unpaired, the bar alone would have sqrt(0.9 * 0.1 / 600) = 1.2 points; a bar and a curve that share examples less
    assert 0.003 < blurred.evaluation_noise_std < 0.02
    assert blurred.other.evaluation_noise_std > 0
    assert (blurred.resamples, sharp.resamples) == (400, 0)
    assert sharp.evaluation_noise_std is None
    assert (blurred.limit, blurred.other.limit) == (None, "runs"), "the other one wants three seeds a side too"


@pytest.mark.parametrize("examples", [2, 8])
def test_an_evaluation_split_that_is_too_small_is_named(out, examples):
    world = cells.Simulated()
    world.examples = examples
    (verdict,) = sweep(out, world)
    assert (verdict.status, verdict.d90) == ("budget_spent", None)
    assert "evaluation" in verdict.message
    assert verdict.limit == "examples"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"d_min": 100, "d_max": 100}, "above_range"),
        ({"d_min": 60_000, "d_max": 60_000}, "below_range"),
        ({"max_runs": 2}, "budget_spent"),
        ({"seeds": 1}, "found"),
    ],
)
def test_odd_searches_end_in_an_honest_verdict(out, changes, status):
    (verdict,) = sweep(out, cells.Simulated(), cells.cell(search=replace(cells.SEARCH, **changes)))
    assert verdict.status == status
    assert (verdict.d90 is not None) == (status == "found")


def test_a_curve_that_falls_with_d_has_no_d90(out):
    world = cells.Simulated()
    rising = world.score
    world.score = lambda spec: rising(spec) if spec.subspace.method == "full" else 1.4 - rising(spec)
    (verdict,) = sweep(out, world, cells.cell(step_lengths=(3.0,)))
    assert (verdict.status, verdict.d90) == ("not_monotone", None)


def test_a_constant_score_has_no_d90(out):
    world = cells.Simulated()
    rising = world.score
    world.score = lambda spec: rising(spec) if spec.subspace.method == "full" else 0.7
    (verdict,) = sweep(out, world)
    assert (verdict.status, verdict.d90) == ("above_range", None)


def test_runs_that_all_fail_say_nothing_about_d90(out):
    world = cells.Simulated()
    rising = world.score
    world.score = lambda spec: rising(spec) if spec.subspace.method == "full" else math.nan
    (verdict,) = sweep(out, world)
    assert (verdict.status, verdict.d90, verdict.d90_low, verdict.d90_high) == (
        "budget_spent", None, None, None,
    )  # fmt: skip
    assert "gave a score" in verdict.message


def test_resamples_can_be_left_out(out):
    world = cells.Simulated()
    world.examples = 600
    (verdict,) = sweep(out, world, cells.cell(search=replace(cells.SEARCH, resamples=0), step_lengths=(3.0,)))
    assert (verdict.resamples, verdict.evaluation_noise_std) == (0, None)
    assert verdict.d90_low == verdict.d90_low_seeds


def test_a_bisection_stops_its_runs_at_the_bar_and_takes_their_scores_as_bounds(tmp_path):
    """The same curve with every run to its end: the stopped ones leave an interval that agrees and that holds the
    truth, which scores taken at their word would not."""
    bisection = cells.cell(search=replace(cells.SEARCH, name="bisection", max_runs=36))
    world = cells.Simulated()
    (verdict,) = sweep(tmp_path / "bisection", world, bisection)
    told = [spec for spec in world.made if spec.run_id in verdict.run_ids]
    assert {spec.stop_at for spec in told} == {verdict.stop_at}
    assert {spec.stop_at for spec in world.made if spec.subspace.method == "full"} == {None}, "never the baseline"
    assert 0 < len(verdict.stopped_run_ids) < len(told)
    assert verdict.status == "found"
    assert verdict.d90_low <= truth() <= verdict.d90_high
    assert verdict.isotonic_d90 is None, "there is no line to a lower bound"
    (calm,) = sweep(tmp_path / "posterior", cells.Simulated())
    assert (calm.stop_at, calm.stopped_run_ids) == (None, [])


def test_cells_of_a_grid_share_the_baseline(out):
    world = cells.Simulated()
    did, said = cells.cell(), cells.cell(subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    verdicts = sweep(out, world, did, said)
    assert [verdict.method for verdict in verdicts] == ["did", "said"]
    assert verdicts[0].m == 0
    assert verdicts[1].m == 4
    full = [spec for spec in world.made if spec.subspace.method == "full"]
    assert len({spec.run_id for spec in full}) == len(full) == 6
    assert verdicts[0].baseline_run_ids == verdicts[1].baseline_run_ids


def test_the_same_cell_twice_is_measured_once(out):
    world = cells.Simulated()
    first, second = sweep(out, world, cells.cell(), cells.cell())
    assert first == second
    assert len(world.made) == first.runs


def test_a_wrong_step_length_does_not_inflate_d90(out):
    """All lengths of the grid but one end at chance, and the best lies beyond the grid's edge."""
    (verdict,) = sweep(out, cells.Simulated(), cells.cell(step_lengths=(0.1, 0.3, 1.0)))
    assert verdict.status == "found"
    assert abs(math.log(verdict.d90 / truth())) < math.log(1.3)
    known = verdict.step_lengths.known.values()
    assert all(abs(math.log(length / cells.BEST_LENGTH)) < 1.5 for length in known)


def test_the_learning_rate_grid_is_extended(out):
    (verdict,) = sweep(out, cells.Simulated(), cells.cell(learning_rates=(3e-4, 1e-3)))
    assert verdict.learning_rate == 3e-3


def test_no_baseline_searches_nothing(out):
    world = cells.Simulated(baseline=0.503)
    (verdict,) = sweep(out, world)
    assert verdict.status == "no_baseline"
    assert verdict.d90 is None
    assert all(spec.subspace.method == "full" for spec in world.made)


def test_a_bar_that_chance_meets_is_said_to_be_trivial(out):
    (verdict,) = sweep(out, cells.Simulated(chance=0.82, baseline=0.9))
    assert verdict.trivial
    assert "trivially easy" in verdict.message


def test_a_run_that_breaks_fails_its_cell_alone(out):
    world = cells.Simulated()
    world.fail = {"said"}
    said = cells.cell(subspace=SubspaceSpec("said", "one_hot", "global", "layer", ()))
    with pytest.raises(RunFailed, match="out of memory"):
        sweep(out, world, said, cells.cell())
    (kept,) = [Ledger(out).verdict(folder.name) for folder in (out / "sweeps").iterdir()]
    assert kept is not None
    assert kept.method == "did"
    world.fail = set()
    assert len(sweep(out, world, said)) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"search": SearchSpec("posterior", 8, 2_000_000, 12, 0.9, "absolute", 3, 2, 13, 400)}, "exceeds D="),
        (
            {
                "search": SearchSpec("posterior", 30, 1000, 12, 0.9, "absolute", 3, 2, 13, 400),
                "subspace": SubspaceSpec("said", "one_hot", "global", "tensor", ()),
            },
            "leaves nothing for z",
        ),
    ],
)
def test_dimensions_that_cannot_be_leave_nothing_behind(out, changes, words):
    with pytest.raises(UserError, match=words):
        sweep(out, cells.Simulated(), cells.cell(**changes))
    assert not out.exists()


def test_results_of_another_version_are_refused_and_left_alone(out):
    out.mkdir()
    (out / "intdim.json").write_text(json.dumps({"layout_version": 99}))
    with pytest.raises(UserError, match="another version"):
        sweep(out, cells.Simulated())
    assert [file.name for file in out.iterdir()] == ["intdim.json"]
