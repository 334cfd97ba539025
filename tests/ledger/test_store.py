"""The ledger's laws: whole files or none, one owner for a run, finished runs stay as they are."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from intdim import durable, seals
from intdim.errors import RunFailed, UserError
from intdim.ledger import locks
from intdim.ledger.locks import Busy
from intdim.ledger.records import read_metrics, read_record
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Curve, Point
from intdim.seals import Damaged
from intdim.spec import (
    LAYOUT_VERSION,
    ModelSpec,
    RunSpec,
    SearchSpec,
    SubspaceSpec,
    SweepSpec,
    TaskSpec,
    TrainSpec,
    from_dict,
)
from tests.records import result_of, verdict

ROOT = Path(__file__).resolve().parents[2]
MODEL = ModelSpec("tiny", "builtin", "tiny", "", "0123", False, 0, {}, False, False)
TASK = TaskSpec(
    "pair",
    "builtin",
    "pair",
    1,
    "4567",
    ("text",),
    "label",
    ("no", "yes"),
    "classification",
    "accuracy",
    64,
    *("x",) * 2,
    0,
    0,
    "half",
)
SUBSPACE = SubspaceSpec("did", "one_hot", "global", "layer", ())
TRAIN = TrainSpec(1.0, 0, 16, 1, 0.1, 1.0, 0.0, 0.9, 0.999, 1e-8, "float32", 1, 0)


def run_spec(d: int = 8) -> RunSpec:
    return RunSpec(MODEL, TASK, SUBSPACE, TRAIN, d=d, step_length=3.0, learning_rate=0.0, seed=0)


def sweep_spec() -> SweepSpec:
    search = SearchSpec("posterior", 8, 1024, 12, 0.9, "absolute", 3, 2, 9, 400)
    return SweepSpec(MODEL, TASK, SUBSPACE, TRAIN, search, (1.0, 3.0), (1e-4,), 3, 0)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path / "out")
    made.open()
    return made


def everything_under(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


# -- the folder ----------------------------------------------------------------------------------------------------


def test_check_leaves_nothing_behind(tmp_path: Path) -> None:
    Ledger(tmp_path / "deep" / "out").check()
    assert list(tmp_path.iterdir()) == []


def test_open_marks_the_folder_and_check_accepts_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "out")
    ledger.open()
    ledger.open()
    ledger.check()
    marked = f'{{\n  "layout_version": {LAYOUT_VERSION}\n}}\n'
    assert everything_under(tmp_path) == {"deep/out/intdim.json": marked.encode()}


def test_a_folder_with_other_things_in_it_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    Ledger(tmp_path).check()


@pytest.mark.parametrize("below", ["", "below", "far/below"])
def test_a_file_in_the_way_is_a_users_error(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is not a folder"):
        Ledger(tmp_path / "file" / below).check()


def test_a_dangling_link_in_the_way_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not a folder"):
        Ledger(tmp_path / "out").check()


def test_a_place_that_cannot_be_written_is_a_users_error() -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no folder here that even root may not write to")
    with pytest.raises(UserError, match="out=/proc/intdim is not writable: /proc: "):
        Ledger(Path("/proc/intdim")).check()


@pytest.mark.parametrize(
    "marked",
    [
        f'{{"layout_version": {LAYOUT_VERSION + 1}}}',
        '{"layout_version": null}',
        "{}",
        "[1]",
        "null",
        "",
        "{torn",
        "\xff",
    ],
)
def test_another_versions_folder_is_a_users_error(tmp_path: Path, marked: str) -> None:
    (tmp_path / "intdim.json").write_text(marked, encoding="latin-1")
    with pytest.raises(UserError, match="written by another version") as error:
        Ledger(tmp_path).check()
    assert len(error.value.parts) == 3
    assert everything_under(tmp_path) == {"intdim.json": marked.encode("latin-1")}


@pytest.mark.parametrize("marked", ['{"layout_version": 9}', "{}"])
def test_a_wrong_mark_is_believed_where_something_finished_is_of_another_version(tmp_path: Path, marked: str) -> None:
    for name, version in (("a", LAYOUT_VERSION), ("b", 1)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        seals.complete(tmp_path / "runs" / name, "result.json", {}, (), version)
    (tmp_path / "intdim.json").write_text(marked)
    before = everything_under(tmp_path)
    with pytest.raises(UserError, match=r"written by another version of intdim \(layout 1 and "):
        Ledger(tmp_path).check()
    assert everything_under(tmp_path) == before


# -- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_goes_in_and_comes_out(ledger: Ledger) -> None:
    spec = run_spec()
    assert ledger.result(spec.run_id) is None
    ledger.write_spec(spec.run_id, spec)
    assert list(ledger.runs()) == []  # not finished
    ledger.write_result(result_of(spec))
    assert ledger.result(spec.run_id) == result_of(spec)
    assert list(ledger.runs()) == [(spec, result_of(spec))]


def test_runs_come_in_the_order_of_their_ids_whatever_the_folder_holds(ledger: Ledger) -> None:
    specs = [run_spec(d) for d in range(1, 9)]
    for spec in specs:
        ledger.write_spec(spec.run_id, spec)
        ledger.write_result(result_of(spec))
    (ledger.out / "runs" / "a file").write_text("")
    (ledger.out / "runs" / "empty").mkdir()
    assert [spec.run_id for spec, _ in ledger.runs()] == sorted(spec.run_id for spec in specs)


def test_an_empty_ledger_has_no_runs_and_no_verdicts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "nowhere")
    assert list(ledger.runs()) == []
    assert ledger.points("any") == []
    assert ledger.verdict("any") is None
    assert ledger.failure("any") is None


def test_a_spec_is_written_once(ledger: Ledger) -> None:
    spec = run_spec()
    ledger.write_spec(spec.run_id, spec)
    file = ledger.run_folder(spec.run_id) / "spec.json"
    before = file.stat()
    ledger.write_spec(spec.run_id, spec)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_spec_of_another_run_is_set_aside_and_named(ledger: Ledger) -> None:
    spec, told = run_spec(), []
    ledger.tell = told.append
    file = ledger.run_folder(spec.run_id) / "spec.json"
    durable.write_json(file, {"another": "run"})
    ledger.write_spec(spec.run_id, spec)
    assert from_dict(RunSpec, json.loads(file.read_text())) == spec
    (line,) = told
    assert f"{file} is not the spec of run {spec.run_id}" in line
    kept = ledger.out / "damaged" / f"runs-{spec.run_id}" / "spec.json"
    assert json.loads(kept.read_text()) == {"another": "run"}
    assert str(kept.parent) in line


def test_a_damaged_spec_is_written_anew(ledger: Ledger) -> None:
    spec = run_spec()
    file = ledger.run_folder(spec.run_id) / "spec.json"
    durable.write_text(file, '{"model": {"na')
    ledger.write_spec(spec.run_id, spec)
    assert from_dict(RunSpec, json.loads(file.read_text())) == spec


@pytest.mark.parametrize("content", ["", "{torn", "[]", '{"run_id": "another"}', "\xff"])
def test_a_damaged_result_is_named(ledger: Ledger, content: str) -> None:
    spec = run_spec()
    file = ledger.run_folder(spec.run_id) / "result.json"
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="latin-1")
    with pytest.raises(RunFailed) as error:
        ledger.result(spec.run_id)
    assert str(file) in str(error.value)


def test_a_finished_run_is_never_rewritten(ledger: Ledger) -> None:
    spec = run_spec()
    ledger.write_result(result_of(spec))
    with pytest.raises(AssertionError):
        ledger.write_result(result_of(spec, eval_score=0.9))
    assert ledger.result(spec.run_id) == result_of(spec)


def test_a_failure_is_kept_as_text(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    folder.mkdir(parents=True)
    (folder / "error.txt").write_bytes(b"Traceback \xff")
    assert ledger.failure("a") == "Traceback �"


# -- sweeps --------------------------------------------------------------------------------------------------------


def test_a_sweep_goes_in_and_comes_out(ledger: Ledger) -> None:
    spec = sweep_spec()
    points = [Point(8, 0.5, None, 1, "3", "a"), Point(64, 0.75, 0.25, 2, "3", "b c")]
    answer = verdict(sweep_id=spec.sweep_id, curve=Curve([8.0, 64.0], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8]))
    ledger.write_sweep(spec, answer, points)
    assert ledger.verdict(spec.sweep_id) == answer
    assert ledger.points(spec.sweep_id) == points
    folder = ledger.sweep_folder(spec.sweep_id)
    assert read_record(SweepSpec, folder / "spec.json") == spec
    assert (folder / "points.csv").read_text() == (
        "d,score_mean,score_std,seeds,step_length,run_ids\n8,0.5,,1,3,a\n64,0.75,0.25,2,3,b c\n"
    )


def test_damaged_points_are_named(ledger: Ledger) -> None:
    durable.write_text(ledger.sweep_folder("a") / "points.csv", "d,seeds\nmany,1\n")
    with pytest.raises(Damaged, match=r"points\.csv is damaged"):
        ledger.points("a")


def test_a_sweep_without_its_verdict_has_not_ended(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = sweep_spec()

    def killed(path: Path, value: object, real: Callable[[Path, object], None] = durable.write_json) -> None:
        if path.name == "verdict.json":
            raise KeyboardInterrupt
        real(path, value)

    monkeypatch.setattr(durable, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.write_sweep(spec, verdict(sweep_id=spec.sweep_id), [])
    left = sorted(file.name for file in ledger.sweep_folder(spec.sweep_id).iterdir())
    assert left == ["hashes.json", "points.csv", "spec.json"]
    assert ledger.verdict(spec.sweep_id) is None


def test_a_damaged_verdict_counts_as_none(ledger: Ledger) -> None:
    durable.write_text(ledger.sweep_folder("a") / "verdict.json", "{torn")
    assert ledger.verdict("a") is None


# -- a full disk ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_full_disk_says_what_is_kept_and_keeps_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    first, second = run_spec(8), run_spec(16)
    ledger.write_spec(first.run_id, first)
    ledger.write_result(result_of(first))
    before = everything_under(ledger.out)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "write":
        real = os.fdopen

        def opened(handle: int, mode: str) -> object:
            file = real(handle, mode, buffering=0)
            stand_in = MagicMock(wraps=file)
            stand_in.__enter__.return_value = stand_in
            stand_in.__exit__.side_effect = lambda *error: file.close()
            stand_in.write = full
            return stand_in

        monkeypatch.setattr(os, "fdopen", opened)
    else:
        monkeypatch.setattr(os, call, full)
    for attempt in (
        lambda: ledger.write_spec(second.run_id, second),
        lambda: ledger.write_result(result_of(second)),
        lambda: ledger.write_sweep(sweep_spec(), verdict(), []),
    ):
        with pytest.raises(RunFailed, match=r"disk under .*out is full .*Finished runs are kept") as error:
            attempt()
        assert error.value.exit_status == 1
    monkeypatch.undo()
    assert everything_under(ledger.out) == before
    assert [spec for spec, _ in ledger.runs()] == [first]
    ledger.write_result(result_of(second))  # the same again, with space


def test_a_full_disk_is_no_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(RunFailed, match="is full"):
        Ledger(tmp_path).check()


def test_a_refused_file_is_named(ledger: Ledger) -> None:
    with pytest.raises(RunFailed, match=r"refused .*precious"), ledger.disk():
        raise PermissionError(errno.EACCES, "Permission denied", "precious")


# -- one owner -----------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from pathlib import Path
from intdim.ledger.store import Ledger
folder = Path(sys.argv[1])
with Ledger(folder.parent).claim(folder):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@contextlib.contextmanager
def held_elsewhere(folder: Path, seconds: float = 60.0):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.communicate()


def test_a_folder_has_one_owner_at_a_time(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    with (
        held_elsewhere(folder),
        pytest.raises(Busy, match="another process is making the run"),
        ledger.claim(folder, 0.0),
    ):
        raise AssertionError("two owners")


def test_a_claim_ends_with_its_process_however_it_ends(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    with held_elsewhere(folder) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with ledger.claim(folder, 0.0):
            pass


def test_a_claim_waits_for_the_owner(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    with held_elsewhere(folder, 0.5):
        begin = time.monotonic()
        with ledger.claim(folder):
            assert time.monotonic() - begin > 0.3


def test_a_claim_is_given_back(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    with contextlib.suppress(ArithmeticError), ledger.claim(folder):
        raise ArithmeticError
    with ledger.claim(folder, 0.0), pytest.raises(Busy), ledger.claim(folder, 0.0):
        pass


def test_the_owner_clears_away_what_a_killed_one_left(ledger: Ledger) -> None:
    folder = ledger.run_folder("a")
    folder.mkdir(parents=True)
    for name in (".z.safetensors.x1.tmp", ".result.json.y2.tmp", ".spec.json.z3.tmp", "z.safetensors", "log.txt"):
        (folder / name).write_text("")
    with ledger.claim(folder):
        assert {file.name for file in folder.iterdir()} == {".lock", ".spec.json.z3.tmp", "z.safetensors", "log.txt"}


@pytest.mark.parametrize("stopped", [False, True])
def test_who_is_waited_for_is_said(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, stopped: bool) -> None:
    monkeypatch.setattr(locks, "TOLD_AFTER", 0.3)
    folder, told = ledger.run_folder("a"), []
    ledger.tell = told.append
    with held_elsewhere(folder) as holder:
        if stopped:
            os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(Busy, match=f"process {holder.pid}"), ledger.claim(folder, 0.8):
            raise AssertionError("two owners")
    (line,) = told
    assert line.startswith(f"waiting for {folder / '.lock'}: process {holder.pid}")
    assert ("which is stopped" in line and f"kill -CONT {holder.pid}" in line) == stopped


def test_a_lock_that_is_had_at_once_says_nothing(ledger: Ledger) -> None:
    told: list[str] = []
    ledger.tell = told.append
    with ledger.claim(ledger.run_folder("a")):
        pass
    assert told == []


def test_a_lock_is_never_opened_through_a_link(ledger: Ledger, tmp_path: Path) -> None:
    folder, mine, told = ledger.run_folder("a"), tmp_path / "mine", []
    ledger.tell = told.append
    mine.write_text("dear to me")
    folder.mkdir(parents=True)
    for target in (mine, tmp_path / "new", folder / ".lock"):
        (folder / ".lock").unlink(missing_ok=True)
        (folder / ".lock").symlink_to(target)
        with ledger.claim(folder, 0.0), pytest.raises(Busy), ledger.claim(folder, 0.0):
            pass
        assert not (folder / ".lock").is_symlink()
    assert mine.read_text() == "dear to me"
    assert not (tmp_path / "new").exists()
    assert len([line for line in told if "no file that can be locked" in line]) == 3


# -- kills ---------------------------------------------------------------------------------------------------------


def test_killed_writers_leave_whole_files(tmp_path: Path) -> None:
    """Writers of 200 kB results are killed at 12 moments; every result that is there is whole."""
    script = """
import sys
from pathlib import Path
from intdim.ledger.store import Ledger
from tests.ledger.test_store import run_spec
from tests.records import result_of
ledger, number = Ledger(Path(sys.argv[1])), int(sys.argv[2])
while True:
    ledger.write_result(result_of(run_spec(), run_id=f"{number:08}", reason="x" * 200_000))
    print(number, flush=True)
    number += 1
"""
    ledger, told = Ledger(tmp_path / "out"), set()
    for kill in range(12):
        command = [sys.executable, "-c", script, str(ledger.out), str(10_000 * kill)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        told.add(int(writer.stdout.readline()))
        time.sleep(0.01 + 0.003 * kill)
        writer.kill()
        told |= {int(line) for line in writer.communicate()[0].split(b"\n")[:-1]}
    results = {folder.name: ledger.result(folder.name) for folder in (ledger.out / "runs").iterdir()}
    whole = {int(name) for name, result in results.items() if result is not None}
    assert all(len(result.reason) == 200_000 for result in results.values() if result is not None)
    assert told <= whole  # what was announced as written is there


def test_a_torn_line_of_metrics_is_left_out(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    lines = b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": NaN}\n7\n{"step": 3, "text": "\xc3'
    (tmp_path / "metrics.jsonl").write_bytes(lines)
    first, second = read_metrics(tmp_path)
    assert first == {"step": 1, "loss": 0.5}
    assert second["step"] == 2
