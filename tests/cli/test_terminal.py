"""A terminal that cannot print, or is gone, ends no measurement; and text is text."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from intdim.cli import terminal
from intdim.cli.view import Lines, Screen, make_view

ROOT = Path(__file__).parents[2]
STAND_IN = """
import sys
from intdim.cli import main
def run(arguments):
    print("d90 · \\u2264 8 \\udcff")
    sys.stdout.flush()
    print("said", file=sys.stderr)
    open("kept", "w").write("measured")
    return 7
main.run = run
main.main(["sweep"])
"""


def ended(folder: Path, shell: str, **environment: str) -> tuple[int, bytes]:
    """Run a stand-in for a measurement under a shell line; return its exit status and what it printed."""
    (folder / "stand_in.py").write_text(STAND_IN, encoding="utf-8")
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment}
    line = shell.replace("INTDIM", f"{sys.executable} stand_in.py")
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=settings, capture_output=True, check=False, timeout=60)
    assert (folder / "kept").read_text() == "measured", done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "INTDIM >&-",
        "INTDIM 2>&-",
        "INTDIM <&- >&- 2>&-",
        "INTDIM >/dev/full",
        "INTDIM >/dev/full 2>/dev/full",
        "set -o pipefail; INTDIM | true",
        "set -o pipefail; INTDIM 2>&1 | head -c 1",
    ],
)
def test_the_exit_status_is_that_of_the_measurement(tmp_path: Path, line: str) -> None:
    status, said = ended(tmp_path, line)
    assert status == 7
    assert b"Traceback" not in said
    assert b"Exception ignored" not in said


@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}, {"LANG": "C"}],
)
def test_what_an_encoding_lacks_is_escaped(tmp_path: Path, environment: dict[str, str]) -> None:
    status, said = ended(tmp_path, "INTDIM", **environment)
    assert status == 7
    assert b"\\udcff" in said
    assert rb"d90 \xb7 \u2264 8" in said or "d90 · ≤ 8".encode() in said


def test_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with terminal.steady():
        assert sys.stdout is not out
        print("text")
        out.close()
        print("more")
    assert sys.stdout is out


def test_text_is_no_markup() -> None:
    shown = terminal.console()
    with shown.capture() as captured:
        shown.print("[red]a[/] :smile: [/]")
        table = Table("[b]head", title="[i]title")
        table.add_row("[red]cell[/red] [/]")
        shown.print(table)
    for words in ("[red]a[/] :smile: [/]", "[b]head", "[i]title", "[red]cell[/red] [/]"):
        assert words in captured.get()


@pytest.mark.parametrize("columns", ["0", "1", "7", "abc", "-3", "²", "", "9" * 400])
def test_any_number_of_columns_will_do(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = Lines("out")
    assert lines.console.width >= terminal.NARROWEST
    table = Table("a", "b", "c")
    table.add_row("x" * 300, "y" * 300, "z")
    with lines.console.capture() as captured:
        lines.console.print(table)
    assert "xxx" in captured.get()


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes any stream for a terminal
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_view("out"), Screen)
    monkeypatch.setenv("TERM", "dumb")
    assert not isinstance(make_view("out"), Screen)
