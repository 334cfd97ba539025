"""TensorBoard's own reader finds in the event files what the ledger has."""

from __future__ import annotations

from pathlib import Path

from tests.track import real


def test_event_files_have_curves_results_and_verdicts(tmp_path: Path) -> None:
    made = real.sent("tensorboard", tmp_path / "out")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    project = made.folder / "intdim"
    assert {path.name for path in (project / "runs").iterdir()} == real.run_ids(made.verdict)
    run = EventAccumulator(str(project / "runs" / made.run.run_id)).Reload()
    assert [(one.step, round(one.value, 6)) for one in run.Scalars("curve/loss")] == real.curve("loss")
    (score,) = run.Scalars("result/eval_score")
    assert abs(score.value - made.run.eval_score) < 1e-6
    assert run.Scalars("result/d")[0].value == made.run.d
    assert len(list((project / "runs" / made.run.run_id).iterdir())) == 1, "one file, also after a second replay"

    sweep = EventAccumulator(str(project / "sweeps" / made.verdict.sweep_id)).Reload()
    assert abs(sweep.Scalars("result/d90")[0].value / made.verdict.d90 - 1) < 1e-6
    assert sweep.Tensors("result/status")[0].tensor_proto.string_val == [b"found"]
    assert sweep.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == "hparams"


def test_what_a_kill_left_is_replaced(tmp_path: Path) -> None:
    real.sent("tensorboard", tmp_path / "out")
    from intdim.track.base import RUN, Entry, Outcome
    from intdim.track.tensorboard import open_tracker

    entry = Entry(RUN, "a", "tiny rte", {"d": 3, "empty": ""})
    first = open_tracker(tmp_path, "p", False)
    first.begin(entry)
    first.log(entry, 1, {"loss": 1.0})
    first.close()  # as a process that ends in the middle
    second = open_tracker(tmp_path, "p", False)
    second.begin(entry)
    second.end(entry, Outcome({"d": 3}, {}, failed=True))
    assert len(list((tmp_path / "p" / "runs" / "a").iterdir())) == 1
