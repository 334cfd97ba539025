"""What is remembered: folders under ``out``, one for each run and each sweep.

Laws: a run's folder belongs to one worker at a time; every file but the append-only metrics.jsonl appears by
write-temporary, fsync, rename; a finished run is never rewritten; every table can be rebuilt from the folders. What is
read is checked against its hash. A run or a sweep with a file that fails counts as not finished: whoever makes it again
sets the damaged one aside.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from intdim import durable, seals
from intdim.errors import RunFailed
from intdim.ledger import locks
from intdim.ledger.layout import Layout
from intdim.ledger.records import folders, read_record, read_text, readable
from intdim.ledger.results import ANSWERS_FILE, Answers, RunResult
from intdim.ledger.verdict import Point, Verdict, points_csv, read_points
from intdim.seals import Damaged
from intdim.spec import LAYOUT_VERSION, RunSpec, SweepSpec, to_dict

RESULT, SPEC, VERDICT, POINTS = "result.json", "spec.json", "verdict.json", "points.csv"
EVIDENCE = (SPEC, "environment.json", "z.safetensors", ANSWERS_FILE)  # without one of them a run is not finished
REMARKS = ("log.txt", "metrics.jsonl")  # on which no number rests


class Ledger(Layout):
    """The results folder ``out``."""

    # -- runs --------------------------------------------------------------------------------------------------------

    def write_spec(self, run_id: str, spec: RunSpec) -> None:
        """Put a run's spec into its folder before the run is handed out; that of another run there is set aside."""
        file = self.run_folder(run_id) / SPEC
        there = readable(RunSpec, file)
        if there is not None and there.run_id == spec.run_id:
            return
        with self.disk():
            seals.room_for(file, self.out, self.tell)
            seals.set_aside([file], self.out, f"{seals.shown(file)} is not the spec of run {run_id}", self.tell)
            durable.write_json(file, to_dict(spec))

    def result(self, run_id: str) -> RunResult | None:
        """Return a finished run's result, or None.

        Raises:
            RunFailed: a file of the run is damaged.
        """
        try:
            return self._whole(run_id)
        except Damaged as error:
            raise RunFailed(". ".join(error.parts)) from error

    def finished(self, run_id: str) -> RunResult | None:
        """Return a run's result; None where it has not ended, or ``begin`` has something to set aside."""
        try:
            found = self._whole(run_id)
            if found is not None:
                self._check(run_id, REMARKS)
            return found
        except Damaged:
            return None

    def begin(self, spec: RunSpec) -> RunResult | None:
        """Return a run's result if it has ended and is whole; else make its folder ready for the run to be made.

        What is damaged is set aside. Only for the holder of the folder (``claim``).
        """
        run_id = spec.run_id
        folder = self.run_folder(run_id)
        self.write_spec(run_id, spec)
        try:
            found = self._whole(run_id)
        except Damaged as error:
            found, why = None, f"{error.parts[0]}: run {run_id} is made again"
            self.set_aside([entry for entry in folder.iterdir() if entry.name not in (locks.LOCK, SPEC)], why)

        if found is not None:
            while True:
                try:
                    self._check(run_id, REMARKS)
                    return found
                except Damaged as error:
                    self.set_aside([error.file], error.parts[0])
        for entry in list(folder.iterdir()):
            why = "" if entry.name == locks.LOCK else seals.obstacle(entry)
            if why:
                self.set_aside([entry], f"{seals.shown(entry)} {why}")
        return None

    def restart(self, run_id: str, error: Damaged) -> None:
        """Set aside what a run has left so far, so that it starts anew. Only for the holder of the folder."""
        folder = self.run_folder(run_id)
        why = f"{error.parts[0]}: run {run_id} starts again"
        self.set_aside([entry for entry in folder.iterdir() if entry.name not in (locks.LOCK, SPEC)], why)

    def write_result(self, result: RunResult) -> None:
        """Finish a run: seal what it left, then write its result; a finished one is never rewritten."""
        folder = self.run_folder(result.run_id)
        assert not (folder / RESULT).exists(), f"run {result.run_id} is finished"
        with self.disk():
            seals.complete(folder, RESULT, to_dict(result), EVIDENCE + REMARKS, LAYOUT_VERSION)

    def answers(self, run_id: str) -> Answers | None:
        """Return the answers of a finished run, None where it kept none.

        Raises:
            RunFailed: they are missing or damaged: what rests on them must not be said without them.
        """
        folder = self.run_folder(run_id)
        try:
            data = seals.read(folder, ANSWERS_FILE, LAYOUT_VERSION)
            kept = None if data is None else Answers.of(data, run_id)
        except Damaged as error:
            raise RunFailed(". ".join(error.parts)) from error
        if data is not None and kept is None:
            raise RunFailed(". ".join(Damaged(folder / ANSWERS_FILE, "it holds no answers").parts))
        return kept

    def failure(self, run_id: str) -> str | None:
        """Return the recorded traceback of a run that broke, or None."""
        file = self.run_folder(run_id) / "error.txt"
        return read_text(file) if file.exists() else None

    def runs(self) -> Iterator[tuple[RunSpec, RunResult]]:
        """Yield spec and result of every finished run, in the order of their ids; damaged ones are named and left
        out."""
        for folder in folders(self.out / "runs"):
            try:
                found = self.record(folder.name)
            except Damaged as error:
                self.tell(f"{error.parts[0]}: run {seals.shown(folder.name)} is left out")
                continue
            if found is not None and found[0] is not None:
                yield found[0], found[1]

    def record(self, run_id: str) -> tuple[RunSpec | None, RunResult] | None:
        """Return what spec.json (None where there is none) and result.json of a finished run say, None where it has
        not ended. Its other files are not looked at.

        Raises:
            Damaged: one of the two is damaged.
        """
        folder = self.run_folder(run_id)
        result = read_record(RunResult, folder / RESULT)
        if result is None:
            return None
        spec = read_record(RunSpec, folder / SPEC)
        seals.check(folder, (RESULT, SPEC), version=LAYOUT_VERSION, optional=(SPEC,))
        return spec, result

    @contextlib.contextmanager
    def claim(self, folder: Path, patience: float = math.inf) -> Iterator[None]:
        """Hold a run's folder for this process; the lock goes with the process, however it ends.

        Waits up to ``patience`` seconds for another holder: cells that are measured at the same time by several
        commands share their baselines, and a worker whose driver was killed a moment ago may still be ending.

        Raises:
            Busy: another process still holds the folder.
        """
        with contextlib.ExitStack() as stack:
            with self.disk():
                seals.make_folder(folder, self.out, self.tell)
                stack.enter_context(locks.held(folder, self.out, patience, self.tell))
            for left in folder.glob(".*.tmp"):
                # of a writer that was killed: only the holder writes here, but for the driver's spec.json
                if not left.name.startswith(".spec.json."):
                    left.unlink(missing_ok=True)
            yield

    def _whole(self, run_id: str) -> RunResult | None:
        """Return the result of a run whose evidence is whole, None where it has not ended, else raise ``Damaged``."""
        file = self.run_folder(run_id) / RESULT
        result = read_record(RunResult, file)
        if result is None:
            return None
        if result.run_id != run_id:
            raise Damaged(file, f"it is the result of run {seals.shown(result.run_id)}")
        self._check(run_id, (RESULT, *EVIDENCE))
        return result

    def _check(self, run_id: str, names: Sequence[str]) -> None:
        seals.check(self.run_folder(run_id), names, version=LAYOUT_VERSION, optional=REMARKS)

    # -- sweeps ------------------------------------------------------------------------------------------------------

    def verdict(self, sweep_id: str) -> Verdict | None:
        """Return a sweep's verdict, or None; a damaged one counts as none, it is made again from the runs."""
        try:
            return self.whole_verdict(sweep_id)
        except Damaged:
            return None

    def whole_verdict(self, sweep_id: str) -> Verdict | None:
        """Return the verdict of a sweep whose files are whole, None where it has not ended.

        Raises:
            Damaged: one of them is not.
        """
        file = self.sweep_folder(sweep_id) / VERDICT
        verdict = read_record(Verdict, file)
        if verdict is None:
            return None
        if verdict.sweep_id != sweep_id:
            raise Damaged(file, f"it is the verdict of sweep {seals.shown(verdict.sweep_id)}")
        seals.check(file.parent, (VERDICT, SPEC, POINTS), version=LAYOUT_VERSION)
        return verdict

    def points(self, sweep_id: str) -> list[Point]:
        """Return the points of a sweep, [] where there are none.

        Raises:
            Damaged: points.csv is no table of points.
        """
        file = self.sweep_folder(sweep_id) / POINTS
        try:
            return read_points(durable.read_bytes(file).decode("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (ValueError, OSError) as error:
            raise Damaged(file, error) from error

    def write_sweep(self, spec: SweepSpec, verdict: Verdict, points: Sequence[Point]) -> None:
        """Write spec.json, points.csv and, last, verdict.json; a damaged sweep there is set aside."""
        folder = self.sweep_folder(verdict.sweep_id)
        with self.disk():
            seals.make_folder(folder, self.out, self.tell)
            try:
                self.whole_verdict(verdict.sweep_id)
            except Damaged as error:
                self.set_aside(list(folder.iterdir()), f"{error.parts[0]}: made again from the runs")
            for name in (SPEC, POINTS, seals.HASHES, VERDICT):
                seals.room_for(folder / name, self.out, self.tell)
            durable.write_json(folder / SPEC, to_dict(spec))
            durable.write_text(folder / POINTS, points_csv(points))
            seals.complete(folder, VERDICT, to_dict(verdict), (SPEC, POINTS), LAYOUT_VERSION)
