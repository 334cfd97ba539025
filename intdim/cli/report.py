"""``intdim report``: tables, plots and one HTML page from what out holds."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import Checked, track_request
from intdim.report.words import count
from intdim.request import TrackRequest
from intdim.track.base import check_installed
from intdim.track.view import replay


def main(arguments: list[str]) -> int:
    """Compose the configuration and write the report; return the exit status."""
    words = ["verbose=true" if word == "--verbose" else word for word in arguments]
    return cells("report", words, write)


def write(made: list[DictConfig]) -> int:
    """Write the report; print where its page is, what it has, and where asked for every file."""
    from intdim.report import report

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    for cfg in made:
        check = Checked(cfg)
        out, chosen, verbose = check.out(), list(check.texts("sweeps")), check.switch("verbose")
        name, style, lengths = check.text("name") or "latest", check.text("style"), check.switch("step_lengths")
        check.done()
        track = tracker_of(cfg)
        folder = report(out, name, chosen or None, tell, style, lengths)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        print(folder / "index.html")
        print(summary(folder, len(files)) + ("" if verbose else "; --verbose names them"))
        for file in files if verbose else []:
            print(file)
        send(track, out, chosen or None, tell)
    return 0


def tracker_of(cfg: DictConfig) -> TrackRequest:
    """Return the tracker of a report, whose package is there."""
    track = track_request([cfg])
    check_installed(track)
    return track


def send(track: TrackRequest, out: Path, chosen: list[str] | None, tell: Callable[[str], None]) -> None:
    """Send the finished sweeps of a report to a tracker, if there is one."""
    if track.name == "none":
        return
    from intdim.report.records import read_sweeps

    records, _ = read_sweeps(out, chosen, damaged=[])
    replay(track, out, [record.sweep_id for record in records], tell)


def summary(folder: Path, files: int) -> str:
    """Return in a line what a report has."""
    rows = {}
    for name in ("d90.csv", "runs.csv"):
        with (folder / name).open(encoding="utf-8", newline="") as file:
            rows[name] = sum(1 for _ in csv.reader(file)) - 1
    return f"{count(rows['d90.csv'], 'sweep')}, {count(rows['runs.csv'], 'run')}, {count(files, 'file')}"
