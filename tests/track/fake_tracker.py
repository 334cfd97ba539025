"""The process of a tracker that is a fake: ``python -m tests.track.fake_tracker MANNER REQUEST OUT``.

What it receives goes into ``OUT``/received.jsonl. Manners: ``good``; ``slow`` takes 0.05 s for each entry, ``slower``
2 s; ``refuses`` to be opened; ``raises`` at the third entry; ``hangs`` at the third entry; ``deaf`` never reads its
input; ``dies``; ``lingers`` when it is to close; ``exits`` as a package that ends the program does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from intdim.request import TrackRequest
from intdim.spec import from_dict
from intdim.track import process
from intdim.track.base import Entry, Outcome


class Fake:
    """A tracker that writes down what it receives."""

    def __init__(self, file: Path, manner: str = "good") -> None:
        self.file, self.manner, self.begun = file, manner, 0

    def write(self, *what: object) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")

    def begin(self, entry: Entry) -> None:
        self.begun += 1
        time.sleep({"slow": 0.05, "slower": 2.0}.get(self.manner, 0.0))
        if self.begun == 3 and self.manner == "raises":
            raise ConnectionError("you are not logged in\nsecond line")
        if self.begun == 3 and self.manner == "hangs":
            time.sleep(600)
        if self.begun == 3 and self.manner == "exits":
            sys.exit("bye")
        self.write("begin", entry.kind, entry.name, entry.group, dict(entry.settings))

    def log(self, entry: Entry, step: int, values: Mapping[str, float]) -> None:
        self.write("log", entry.kind, entry.name, step, dict(values))

    def end(self, entry: Entry, outcome: Outcome) -> None:
        self.write("end", entry.kind, entry.name, dict(outcome.numbers), dict(outcome.words), outcome.failed)

    def close(self) -> None:
        if self.manner == "lingers":
            time.sleep(600)
        self.write("close")


def received(file: Path) -> list[list]:
    """Return what a fake has written down."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


if __name__ == "__main__":
    manner, request, out = sys.argv[1:]
    if manner == "deaf":
        time.sleep(600)
    if manner == "dies":
        os._exit(3)

    def opened(request: TrackRequest, folder: Path) -> Fake:
        if manner == "refuses":
            raise PermissionError("no such project")
        return Fake(Path(out) / "received.jsonl", manner)

    process.open_tracker = opened
    os._exit(process.main(from_dict(TrackRequest, json.loads(request)), Path(out)))
