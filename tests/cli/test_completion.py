"""Tab completion."""

from __future__ import annotations

import pytest

from intdim.cli import main as command_line
from tests.cli.command import call


def complete(line: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    ended = call("-sc", "query=bash")
    assert ended.status == 0
    assert ended.err == ""
    return set(ended.out.split())


def test_tab_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    assert complete("intdim ", monkeypatch) == set(command_line.COMMANDS)
    assert complete("intdim p", monkeypatch) == {"plan", "pretrain"}
    assert complete("intdim sweep model=roberta", monkeypatch) == {"model=roberta-base", "model=roberta-large"}
    assert {"search.d_min=", "search.d_max="} <= complete("intdim sweep task=mrpc search.", monkeypatch)
    assert complete("intdim sweep -m projection=one", monkeypatch) == {"projection=one_hot"}
    assert {"out=", "name=", "sweeps."} <= complete("intdim report ", monkeypatch)
    for unreadable in ("intdim sweep --c", "intdim sweep zzz=", "intdim sweep +"):
        complete(unreadable, monkeypatch)


@pytest.mark.parametrize("where", [["-sc", "install=bash"], ["sweep", "--shell-completion", "install=bash"]])
def test_the_completion_script_is_for_intdim(where: list[str]) -> None:
    ended = call(*where)
    assert ended.status == 0
    assert ended.out.rstrip().endswith("hydra_bash_completion intdim")
