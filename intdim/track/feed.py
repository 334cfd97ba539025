"""Gives a tracker what it lacks of the ledger: each finished run and sweep once, and the curves of runs under way.

What a tracker has received whole is marked by an empty file, so that a sweep that resumes, or a replay, sends it no
second time. Whoever wants it sent again removes the folder of the tracker under ``out``/track.
"""

from __future__ import annotations

from pathlib import Path

from intdim import durable
from intdim.request import TrackRequest
from intdim.track.base import RUN, Entry, Outcome, Tracker
from intdim.track.entries import read_curve, read_entry, read_outcome

MOVED, ENDED, BROKEN = "moved", "ended", "broken"  # what may have happened to a run or a sweep


class Feed:
    """What was sent, and the sending of more.

    Args:
        tracker: who receives.
        out: the ledger.
        marks: the folder of the marks.
    """

    def __init__(self, tracker: Tracker, out: Path, marks: Path) -> None:
        self.tracker, self.out, self.marks = tracker, out, marks
        self._open: dict[tuple[str, str], Entry] = {}
        self._sent: dict[str, set[tuple[int, str]]] = {}  # by run: step and names of the lines of its curve

    def take(self, event: str, kind: str, name: str) -> None:
        """Bring the tracker up to date about a run or a sweep.

        Args:
            event: ``moved``, ``ended`` or ``broken``.
            kind: ``run`` or ``sweep``.
            name: its id.
        """
        if (self.marks / name).exists():
            return
        outcome = read_outcome(self.out, kind, name) if event == ENDED else None
        if outcome is None and (event == ENDED or (event == BROKEN and (kind, name) not in self._open)):
            return  # it is gone, or was never begun

        entry = self._begun(kind, name)
        if entry is None:
            return
        if kind == RUN:
            self._send_curve(entry)
        if event == MOVED:
            return

        self.tracker.end(entry, outcome or Outcome({}, {"status": BROKEN}, failed=True))
        del self._open[kind, name]
        self._sent.pop(name, None)
        if outcome is not None:  # a run that broke is made again
            durable.write_bytes(self.marks / name, b"")

    def _begun(self, kind: str, name: str) -> Entry | None:
        """Return the open entry of a run or a sweep; None where the ledger does not know it."""
        if (kind, name) not in self._open:
            entry = read_entry(self.out, kind, name)
            if entry is None:
                return None
            self.tracker.begin(entry)
            self._open[kind, name] = entry
        return self._open[kind, name]

    def _send_curve(self, entry: Entry) -> None:
        """Send the lines of a curve that were not sent; a run that resumes writes some of them again."""
        sent = self._sent.setdefault(entry.name, set())
        for step, values in read_curve(self.out, entry.name):
            line = step, " ".join(sorted(values))
            if line not in sent:
                sent.add(line)
                self.tracker.log(entry, step, values)


def folder_of(request: TrackRequest, out: Path) -> Path:
    """Return where a tracker keeps what it writes on this machine."""
    return out / "track" / request.name


def marks_of(request: TrackRequest, out: Path) -> Path:
    """Return the folder of the marks: one for each project, with and without the network."""
    where = "online" if request.online else "offline"
    return folder_of(request, out) / "sent" / where / request.project
