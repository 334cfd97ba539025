"""MLflow's own client finds in the SQLite file what the ledger has."""

from __future__ import annotations

from pathlib import Path

from tests.track import real


def test_the_store_has_curves_results_and_verdicts(tmp_path: Path) -> None:
    made = real.sent("mlflow", tmp_path / "out")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{made.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("intdim")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(found) == {made.verdict.sweep_id, *real.run_ids(made.verdict)}

    run = found[made.run.run_id]
    assert (run.info.status, run.data.tags["intdim.kind"]) == ("FINISHED", "run")
    assert run.data.metrics["result.eval_score"] == made.run.eval_score
    assert run.data.params["d"] == str(made.run.d)
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == real.curve("loss")

    sweep = found[made.verdict.sweep_id]
    assert sweep.data.metrics["result.d90"] == made.verdict.d90
    assert sweep.data.tags["result.status"] == "found"
