from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from intdim.errors import UserError
from intdim.report import report, write_curve
from tests import small_ledger

from . import fake


@pytest.mark.usefixtures("blank")
def test_chosen_sweeps_bring_their_own_runs(out: Path) -> None:
    first, second = fake.grid(out)
    folder = report(out, "one", sweeps=[first[:6]])
    assert pandas.read_csv(folder / "d90.csv")["sweep_id"].tolist() == [first]
    verdict = json.loads((out / "sweeps" / first / "verdict.json").read_text())
    kept = set(pandas.read_csv(folder / "runs.csv")["run_id"])
    assert kept == {run_id for key in ("", "baseline_", "other_") for run_id in verdict[f"{key}run_ids"]}
    with pytest.raises(UserError, match="is no sweep"):
        report(out, sweeps=["zzz"])
    assert second not in (folder / "index.html").read_text()


def test_nothing_to_report(out: Path) -> None:
    with pytest.raises(UserError, match="nothing to report"):
        report(out)
    assert not (out / "reports").exists()
    (out / "intdim.json").write_text('{"layout_version": 999}')
    with pytest.raises(UserError, match="another version"):
        report(out)
    with pytest.raises(UserError, match="nothing to report"):
        report(out / "absent")
    assert not (out / "absent").exists()


def test_runs_of_a_sweep_that_was_interrupted_are_counted(tmp_path: Path) -> None:
    out = tmp_path / "my results"
    sweep_id = fake.sweep(out)
    shutil.rmtree(out / "sweeps" / sweep_id)
    finished = len(list((out / "runs").iterdir()))
    (out / "runs" / "begun").mkdir()
    with pytest.raises(UserError) as error:
        report(out)
    assert f"no sweep has finished (finished runs: {finished} of {finished + 1})" in error.value.parts[0]
    assert "give the command that began it again" in error.value.parts[2]
    assert f"`intdim sweep 'out={out}'`" in error.value.parts[2]


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_a_sweep_that_was_begun_is_resumed_by_its_own_command(out: Path, state: str) -> None:
    words = ("intdim", "sweep", "task.path=my reviews", f"out={out}")
    ended = "2026-11-27T02:00:00Z" if state == "stopped" else None
    small_ledger.single(out)
    small_ledger.write(out, small_ledger.command("0123456789abcdef", origin={"words": words}, state=state, ended=ended))
    with pytest.raises(UserError) as error:
        report(out)
    assert "(sweeps that were begun: 1; finished runs: 1 of 1)" in error.value.parts[0]
    wanted = f"To resume the last one: `{shlex.join(words)}`." if state == "stopped" else "A sweep is under way"
    assert error.value.parts[2].startswith(wanted)


def test_a_mark_that_is_wrong_is_said_and_written_anew(out: Path) -> None:
    fake.sweep(out)
    (out / "intdim.json").write_text('{"layout_version": 9}')
    lines: list[str] = []
    report(out, tell=lines.append)
    assert [line for line in lines if str(out / "intdim.json") in line] == lines[:1]
    again: list[str] = []
    report(out, tell=again.append)
    assert again == []


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", ".hidden"])
def test_a_report_stays_in_its_folder(out: Path, name: str) -> None:
    fake.sweep(out)
    with pytest.raises(UserError, match="cannot name"):
        report(out, name)


def test_the_curve_is_written_once(out: Path) -> None:
    sweep_id = fake.sweep(out)
    paths = write_curve(out, sweep_id)
    assert [path.name for path in paths] == ["curve.png", "curve.pdf"]
    assert paths[0].read_bytes()[:4] == b"\x89PNG"
    assert paths[1].read_bytes()[:4] == b"%PDF"
    first = [path.stat().st_mtime_ns for path in paths]
    assert write_curve(out, sweep_id) == paths
    assert [path.stat().st_mtime_ns for path in paths] == first
    os.utime(out / "sweeps" / sweep_id / "verdict.json")
    write_curve(out, sweep_id)
    assert all(path.stat().st_mtime_ns > old for path, old in zip(paths, first, strict=True))
    paths[0].write_bytes(paths[0].read_bytes()[:-9])
    assert write_curve(out, sweep_id)[0].read_bytes().endswith(b"IEND\xaeB`\x82"), "a torn one is drawn again"
    paths[1].unlink()
    paths[1].mkdir()
    assert write_curve(out, sweep_id)[1].is_file()
    (out / "sweeps" / "feedfeedfeedfeed").mkdir()
    assert write_curve(out, "feedfeedfeedfeed") == []


def test_a_written_curve_needs_neither_matplotlib_nor_torch(out: Path) -> None:
    sweep_id = fake.sweep(out)
    write_curve(out, sweep_id)
    code = (
        "import sys; from pathlib import Path; from intdim.report import write_curve;"
        "write_curve(Path(sys.argv[1]), sys.argv[2]);"
        "print(sorted({'matplotlib', 'pandas', 'torch', 'hydra'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out), sweep_id], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2], check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_a_report_needs_no_torch(out: Path) -> None:
    fake.sweep(out)
    code = (
        "import sys; from pathlib import Path; from intdim.report import report; report(Path(sys.argv[1]));"
        "print(sorted({'torch', 'transformers', 'hydra'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True,
                          cwd=Path(__file__).parents[2], check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"
