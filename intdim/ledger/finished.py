"""A finished run to export or to certify: its files are whole, it ended well, and it trained in a subspace."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from intdim import durable, seals
from intdim.errors import UserError, echo
from intdim.ledger.records import folders, read_record
from intdim.ledger.results import RunResult
from intdim.ledger.store import EVIDENCE, RESULT
from intdim.seals import Damaged, shown, words
from intdim.spec import LAYOUT_VERSION, RunSpec, Runtime, from_dict, stream_version


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended well. ``runtime`` says where its model and data were when it ran."""

    folder: Path
    spec: RunSpec
    result: RunResult
    runtime: Runtime

    @property
    def z_file(self) -> Path:
        """The file of z and, for SAID, the scales."""
        return self.folder / "z.safetensors"

    @property
    def out(self) -> Path:
        """The results folder it belongs to."""
        return self.folder.parent.parent


def find_run(name: str, out: str, full: bool = False) -> FinishedRun:
    """Return the run with an id, with the beginning of one, or in a folder.

    Args:
        name: an id under ``out``/runs, at least 4 digits of one, or the path of a run's folder.
        out: the results folder.
        full: a run of full fine-tuning will do too.

    Raises:
        UserError: there is no such run, it has not ended, it failed, it did not train in a subspace, or its files are
            damaged or do not belong together.
    """
    folder = _folder(name, Path(out).expanduser())
    spec = _spec(folder)

    inside = spec.subspace.method != "full"
    if not inside and not full:
        raise UserError(
            f"run {spec.run_id} trained all weights (subspace=full): there is no z to write down",
            "a run with subspace=did or subspace=said",
            "Make one with `intdim train d=... subspace=did`.",
        )

    result = _result(folder, spec)
    if result.failed:
        raise UserError(
            f"run {spec.run_id} failed: {result.reason or 'no reason is recorded'}",
            "a run that is done",
            "Choose another run; most failures are a step length that is too long.",
        )

    version = stream_version(spec.subspace.projection)
    if inside and spec.stream_version != version:
        raise UserError(
            f"run {spec.run_id} drew its projection by stream version {spec.stream_version}, this is {version}",
            "a run of this version",
            "Make the run again, or use the version of intdim that made it.",
        )

    if inside and not (folder / "z.safetensors").is_file():
        raise UserError(f"{folder} holds no z.safetensors", "a whole run's folder", "Make the run again.")
    runtime = _runtime(folder)
    _check_hashes(folder)
    return FinishedRun(folder, spec, result, runtime)


def _folder(name: str, out: Path) -> Path:
    if not name:
        raise UserError("no run is named", "a run id, or the folder of a run", "Runs are under out/runs.")
    runs = out / "runs"
    for folder in (runs / name, Path(os.path.expanduser(name))):
        if _is_there(folder / "spec.json"):
            return folder.resolve()

    known = [shown(entry.name) for entry in folders(runs)]
    alike = [one for one in known if len(name) >= 4 and one.startswith(name)]
    if len(alike) == 1:
        return (runs / alike[0]).resolve()

    fact = f"{len(alike)} runs begin with {name}" if alike else f"there is no run {echo(name)!r} in {runs}"
    listed = ", ".join((alike or known)[:3]) + (", ..." if len(alike or known) > 3 else "")
    raise UserError(fact, f"known: {listed}" if listed else "an id under out/runs, or a run's folder", "Check out=.")


def _is_there(file: Path) -> bool:
    """Tell whether there is something under a path; there is nothing under one that no system can have."""
    try:
        file.lstat()
    except (OSError, ValueError):
        return False
    return True


def _spec(folder: Path) -> RunSpec:
    file, allowed = folder / "spec.json", "the spec of a run of this version"
    try:
        spec = read_record(RunSpec, file)
    except (Damaged, OSError) as error:
        raise UserError(f"{file} cannot be read ({_cause(error)})", allowed, "Make the run again.") from None

    if spec is None:
        raise UserError(f"there is no file {file}", allowed, "Make the run again.")
    if spec.run_id != folder.name:
        raise UserError(
            f"{file} is the spec of run {spec.run_id}, not of {folder.name}",
            "a folder as the run left it, under its own name",
            "Restore the file or the folder's name, or make the run again.",
        )
    return spec


def _result(folder: Path, spec: RunSpec) -> RunResult:
    file = folder / "result.json"
    foreign = f"{file} is not the result of run {spec.run_id}"
    try:
        result = read_record(RunResult, file)
    except (Damaged, OSError) as error:
        cause = _cause(error)
        fields_differ = isinstance(error, Damaged) and not isinstance(cause, json.JSONDecodeError | UnicodeDecodeError)
        fact = f"{foreign} ({cause})" if fields_differ else f"{file} is damaged ({cause})"
        raise UserError(fact, "the result of a run of this version", "Make the run again.") from None

    if result is None:
        why = "failed; error.txt says why" if (folder / "error.txt").exists() else "has not ended"
        raise UserError(f"run {spec.run_id} {why}", "a run that is done", "Give its command again, or choose another.")
    if result.run_id != spec.run_id:
        raise UserError(foreign, "", "Make the run again.")
    return result


def _check_hashes(folder: Path) -> None:
    try:
        seals.check(folder, (RESULT, *EVIDENCE), version=LAYOUT_VERSION)
    except Damaged as error:
        allowed, do = "a run's folder as the run left it", "Make the run again: its own command sets the file aside."
        raise UserError(error.parts[0], allowed, do) from None


def _cause(error: Exception) -> BaseException | str:
    """Return what was wrong with a file, without the advice of ``Damaged``: the advice here is another."""
    cause = error.__cause__ or error
    return words(cause) if isinstance(cause, OSError) else cause


def _runtime(folder: Path) -> Runtime:
    try:
        noted = durable.read_json(folder / "environment.json")
        return from_dict(Runtime, (noted or {}).get("runtime"))
    except (ValueError, OSError, AttributeError) as error:
        raise UserError(
            f"{folder / 'environment.json'} cannot be read ({words(error)})",
            "a whole run's folder",
            "Make the run again.",
        ) from None
