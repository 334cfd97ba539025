"""MLflow: a SQLite file under ``out``/track/mlflow; with ``track.online=true`` the server of ``MLFLOW_TRACKING_URI``.

An experiment is named after the project; each run and each sweep is an MLflow run with its id as name.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
from mlflow.entities import Metric, Param, RunTag

from intdim.track.base import Entry, Outcome

LONGEST = 500  # characters of a parameter or a tag, which every MLflow store takes
BATCH = 100  # parameters in one call
TAG = "intdim.id"


class MLflow:
    """Runs of one experiment.

    Args:
        uri: the tracking store; None: the one that MLflow's own variables name.
        artifacts: where a new experiment keeps artifacts, as a URI; None: where the server says.
        project: names the experiment.
    """

    def __init__(self, uri: str | None, artifacts: str | None, project: str) -> None:
        self.client = mlflow.MlflowClient(tracking_uri=uri)
        found = self.client.get_experiment_by_name(project)
        made = None if found is None else str(found.experiment_id)
        self.experiment = made or str(self.client.create_experiment(project, artifacts))
        self._runs: dict[str, str] = {}  # MLflow's ids

    def begin(self, entry: Entry) -> None:
        """Create a run, in place of one of the same id that was left unfinished."""
        for left in self.client.search_runs([self.experiment], f"tags.`{TAG}` = '{entry.name}'"):
            self.client.delete_run(left.info.run_id)
        tags = {TAG: entry.name, "intdim.kind": entry.kind, "intdim.group": entry.group}
        made = self.client.create_run(self.experiment, tags=tags, run_name=entry.name)
        self._runs[entry.name] = made.info.run_id
        settings = [Param(name, str(value)[:LONGEST]) for name, value in entry.settings.items()]
        for first in range(0, len(settings), BATCH):
            self.client.log_batch(self._runs[entry.name], params=settings[first : first + BATCH])

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        """Add metrics."""
        self._metrics(entry, values, step)

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Add the results and end the run."""
        self._metrics(entry, {f"result.{name}": value for name, value in outcome.numbers.items()}, 0)
        tags = [RunTag(f"result.{name}", text[:LONGEST]) for name, text in outcome.words.items()]
        self.client.log_batch(self._runs[entry.name], tags=tags)
        self.client.set_terminated(self._runs.pop(entry.name), "FAILED" if outcome.failed else "FINISHED")

    def close(self) -> None:
        """End runs that are still open as killed: a later command sends them again."""
        for run_id in self._runs.values():
            self.client.set_terminated(run_id, "KILLED")

    def _metrics(self, entry: Entry, values: Mapping[str, float], step: int) -> None:
        now = round(1000 * time.time())
        made = [Metric(name, value, now, step) for name, value in values.items()]
        self.client.log_batch(self._runs[entry.name], metrics=made)


def open_tracker(folder: Path, project: str, online: bool) -> MLflow:
    """Return a tracker with a store of its own, or one of the server that MLflow's variables name."""
    if online:
        return MLflow(None, None, project)
    return MLflow(f"sqlite:///{folder / 'mlflow.db'}", (folder / "artifacts").as_uri(), project)
