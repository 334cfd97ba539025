"""A report that fails, is killed or meets a full disk leaves the one before it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

from intdim.errors import RunFailed
from intdim.report import report, swap

from . import fake


@pytest.mark.usefixtures("blank")
def test_a_failing_report_leaves_the_old_one(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.sweep(out)
    folder = report(out)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    fake.sweep(out, method="said")
    with monkeypatch.context() as broken:
        broken.setattr("intdim.report.content.page", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            report(out)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]
    report(out)
    assert len(pandas.read_csv(folder / "d90.csv")) == 2


@pytest.mark.usefixtures("blank")  # not in the child
def test_a_killed_report_leaves_the_old_one(out: Path) -> None:
    fake.sweep(out)
    folder = report(out)
    fake.sweep(out, method="said")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code = "import sys; from pathlib import Path; from intdim.report import report; report(Path(sys.argv[1]))"
    child = subprocess.Popen([sys.executable, "-c", code, str(out)], cwd=Path(__file__).parents[2])
    limit = time.monotonic() + 60
    while not list((out / "reports").glob(".latest.*.tmp/figures/*.png")) and time.monotonic() < limit:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    left = list((out / "reports").glob(".latest.*.tmp"))
    assert len(left) == 1
    os.utime(left[0], (0, 0))
    report(out)
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]


@pytest.mark.usefixtures("blank")
def test_a_full_disk_leaves_the_old_report(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.sweep(out)
    monkeypatch.setattr("intdim.report.style.render", lambda draw, kind: kind.encode())
    before = (report(out) / "index.html").read_bytes()

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("intdim.report.style.render", full)
    fake.sweep(out, method="said")
    with pytest.raises(RunFailed, match="No space left"):
        report(out)
    assert (out / "reports" / "latest" / "index.html").read_bytes() == before
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]


def test_without_exchange_two_renames_do(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.sweep(out)
    monkeypatch.setattr(swap.ctypes, "CDLL", lambda _: object())
    report(out)
    fake.sweep(out, method="said")
    assert len(pandas.read_csv(report(out) / "d90.csv")) == 2
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]
