"""Trackio: a database under ``out``/track/trackio; with ``track.online=true`` the Space or server that it is set to.

Trackio has one open run at a time, so a run is sent as a whole when it has ended.
``TRACKIO_DIR=outputs/track/trackio trackio show`` shows it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intdim.track.base import Entry, Outcome

REMOTE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID")  # variables that name a place elsewhere


class Trackio:
    """Runs of one project.

    Args:
        trackio: the package, imported after its variables were set.
        project: the project of all runs.
        online: a Space or server may be used.
    """

    def __init__(self, trackio: Any, project: str, online: bool) -> None:
        self.trackio, self.project, self.online = trackio, project, online
        self._curves: dict[str, list[tuple[int, dict[str, float]]]] = {}

    def begin(self, entry: Entry) -> None:
        """Make room for the curve."""
        self._curves[entry.name] = []

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        """Keep a line of the curve."""
        self._curves[entry.name].append((step, dict(values)))

    def end(self, entry: Entry, outcome: Outcome) -> None:
        """Send the run, in place of one of the same name on this machine."""
        if not self.online:
            self._remove(entry.name)
        curve = self._curves.pop(entry.name)
        run = self.trackio.init(
            project=self.project,
            name=entry.name,
            group=entry.group,
            config={"kind": entry.kind, **entry.settings},
            resume="allow" if self.online else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        for step, values in curve:
            run.log(values, step=step)
        results = {f"result/{name}": value for name, value in {**outcome.numbers, **outcome.words}.items()}
        run.log(results, step=max((step for step, _ in curve), default=0))
        run.finish()

    def _remove(self, name: str) -> None:
        with contextlib.suppress(ValueError):  # there is no such project yet
            for left in [one for one in self.trackio.Api().runs(self.project) if one.name == name]:
                left.delete()

    def close(self) -> None:
        """Leave out what has not ended: a later command sends it."""


def open_tracker(folder: Path, project: str, online: bool) -> Trackio:
    """Return a tracker with a database of its own, unless ``TRACKIO_DIR`` names one."""
    os.environ.setdefault("TRACKIO_DIR", str(folder))
    for name in () if online else REMOTE:
        os.environ.pop(name, None)
    import trackio

    return Trackio(trackio, project, online)
