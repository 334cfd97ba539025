"""The command word, help, exit statuses, and what a signal leaves behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intdim import __version__
from intdim.cli import main as command_line
from intdim.errors import Interrupted, RunFailed
from tests.cli.command import call

ROOT = Path(__file__).parents[2]


def test_the_commands_are_these() -> None:
    words = "sweep train report status list show compare remove plan fetch doctor bound export pretrain"
    assert " ".join(command_line.COMMANDS) == words
    for name in command_line.COMMANDS:
        assert (ROOT / "intdim" / "cli" / f"{name}.py").exists()
        assert (ROOT / "conf" / f"{name}.yaml").exists()


def test_help_and_version() -> None:
    for word in ("--help", "-h"):
        ended = call(word)
        assert ended.status == 0
        assert all(f"\n  {name} " in ended.out for name in command_line.COMMANDS)
    assert call("help", "status") == call("status", "--help")
    assert call("help", "nothing").status == 2
    assert (call("--version").status, call("--version").out) == (0, f"intdim {__version__}\n")
    bare = call()
    assert bare.status == 2
    assert bare.out == call("--help").out


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys; from intdim.cli.main import run; run(['--help'])\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas', 'numpy', 'scipy', 'rich', 'yaml'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3


@pytest.mark.parametrize("command", command_line.COMMANDS)
def test_help_of_a_command_lists_its_keys(command: str) -> None:
    ended = call(command, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"intdim {command}: ")
    assert "\nout: " in ended.out
    assert call(command, "--cfg", "job").status == 0


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RunFailed("run 17 failed. Kept: outputs"), 1, "Kept: outputs"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 1, "No space left on device. Finished runs are kept"),
        (TypeError("a slip of ours"), 1, "internal error, TypeError: a slip of ours"),
        (Interrupted("interrupted"), 130, "To resume: intdim sweep"),
        (KeyboardInterrupt(), 130, "To resume: intdim sweep"),
    ],
)
def test_exit_statuses(world, monkeypatch, error: BaseException, status: int, words: str) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("intdim.drivers.sweep.run_cells", fail)
    ended = call("sweep")
    assert ended.status == status
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_command_that_goes_on(world, monkeypatch, number: int) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    monkeypatch.setattr("intdim.drivers.sweep.run_cells", lambda *arguments: signal.raise_signal(number))
    ended = call("sweep", "model.overrides={num_hidden_layers: 2}", "out=a b")
    signal.signal(signal.SIGINT, before)
    assert ended.status == 130
    assert ended.err.endswith("To resume: intdim sweep 'model.overrides={num_hidden_layers: 2}' 'out=a b'\n")


def test_a_folder_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    ended = call("sweep")
    assert ended.status == 2
    assert ended.err.startswith("the folder in which this was typed is gone\n")
