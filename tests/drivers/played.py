"""The miniature's pre-trainings, played: whole at once, or by real workers that die or never end.

``python -m tests.drivers.played OUT`` drives them with workers that never end.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from intdim.cli.trajectory import recipe, trajectory_request
from intdim.drivers.trajectory import TrajectoryRequest, pretrain_models
from intdim.drivers.view import Silent, View
from intdim.launch import InProcess, Launcher, LocalSlots
from intdim.launch.base import Report
from intdim.launch.jobs import Device, PretrainJob, PretrainProgress, PretrainSummary
from intdim.ledger import pretrained
from intdim.spec import from_dict, to_dict
from tests import cells
from tests.cli.command import composed


def miniature() -> TrajectoryRequest:
    """Return the trajectory of ``experiment=mini``."""
    (request,) = {trajectory_request(cfg) for cfg in composed("experiment=mini")}
    assert request is not None
    return request


def made_in(out: Path, request: TrajectoryRequest, launcher: Launcher, view: View | None = None) -> list[Path]:
    runtime = cells.runtime(out, slots=2)
    return pretrain_models(request, recipe(), [cells.cell()], runtime, view or Silent(), launcher)


class Noting(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class Played:
    """A launcher whose pre-trainings write what a real one would: every checkpoint whole, the last one as ``final``."""

    def __init__(self) -> None:
        self.jobs: list[PretrainJob] = []
        self.error: BaseException | None = None  # what every pre-training raises

    def launcher(self) -> InProcess:
        return InProcess({"device": self.device, "pretrain": self.pretrain})

    def device(self, payload: dict[str, Any], report: Report) -> dict[str, Any]:
        return to_dict(Device("cpu", 0, 0))

    def pretrain(self, payload: dict[str, Any], report: Report) -> dict[str, Any]:
        job = from_dict(PretrainJob, payload)
        self.jobs.append(job)
        if self.error is not None:
            raise self.error
        steps = job.config.steps
        for step in range(job.config.checkpoint_every, steps + 1, job.config.checkpoint_every):
            folder = Path(job.out) / ("final" if step == steps else f"step-{step}")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text("{}")
            (folder / "model.safetensors").write_text(str(step))
            report(to_dict(PretrainProgress(step, steps, 2.5, 0.5, 1.0)))
        names = [folder.name for folder in Path(job.out).iterdir() if folder.is_dir()]
        pretrained.seal(Path(job.out), "played", *names)
        return to_dict(PretrainSummary(steps, 1, 1, 0.0, str(Path(job.out) / "final"), 100))


# -- real workers ----------------------------------------------------------------------------------------------------


def real_slots(pretrain: str) -> LocalSlots:
    """Return two slots whose pre-trainings ``die`` or ``sleep``."""
    return LocalSlots(2, 1, command=[sys.executable, "-m", "tests.drivers.endless_worker", pretrain])


if __name__ == "__main__":
    made_in(Path(sys.argv[1]), miniature(), real_slots("sleep"))
