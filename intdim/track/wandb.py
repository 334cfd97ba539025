"""Weights & Biases: off-line runs under ``out``/track/wandb, for ``wandb sync``; with ``track.online=true`` its server.

Ids and names are those of the ledger, so that what is sent again goes to the same run.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from intdim.track.base import Entry, Outcome


class WandB:
    """Runs of one project, off-line or on-line.

    Args:
        folder: where its files go.
        project: the project of all runs.
        online: send to the server that ``wandb login`` or ``WANDB_BASE_URL`` names.
    """

    def __init__(self, folder: Path, project: str, online: bool) -> None:
        self.folder, self.project, self.online = folder, project, online
        self._runs: dict[str, Any] = {}

    def begin(self, entry: Entry) -> None:
        """Begin a run; off-line, in place of one that was left unfinished."""
        if not self.online:
            for left in (self.folder / "wandb").glob(f"offline-run-*-{entry.name}"):
                shutil.rmtree(left, ignore_errors=True)
        self._runs[entry.name] = wandb.init(
            project=self.project,
            dir=self.folder,
            id=entry.name,
            name=entry.name,
            group=entry.group,
            job_type=entry.kind,
            config=dict(entry.settings),
            mode="online" if self.online else "offline",
            resume="allow" if self.online else None,
            reinit="create_new",
            save_code=False,
            settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True, disable_git=True, console="off"),
        )

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        """Add a line of the history."""
        self._runs[entry.name].log(dict(values), step=step)

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Fill in the summary and finish the run."""
        run = self._runs.pop(entry.name)
        run.summary.update({**outcome.numbers, **outcome.words})
        run.finish(exit_code=int(outcome.failed))

    def close(self) -> None:
        """Finish runs that are still open as failed: a later command sends them again."""
        for run in self._runs.values():
            run.finish(exit_code=1)


def open_tracker(folder: Path, project: str, online: bool) -> WandB:
    """Return a tracker that writes off-line runs, or sends them."""
    return WandB(folder, project, online)
