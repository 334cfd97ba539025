"""The notebook in ``docs`` runs from top to bottom, and shows what it says.

Its cells are executed in one namespace, as a kernel would; the last expression of a cell is shown by ``_repr_html_`` or
``repr``. The workers' jobs are done in this process, which spares their start.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import finished_runs

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
CONTENT: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
CODE = ["".join(cell["source"]) for cell in CONTENT["cells"] if cell["cell_type"] == "code"]


def executed(source: str, names: dict[str, Any]) -> str:
    """Run one cell and return what it shows."""
    tree = ast.parse(source)
    last = tree.body[-1]
    shown = ast.Expression(tree.body.pop().value) if isinstance(last, ast.Expr) else None  # type: ignore[attr-defined]
    exec(compile(tree, "<cell>", "exec"), names)
    if shown is None:
        return ""
    value = eval(compile(shown, "<cell>", "eval"), names)
    draw = getattr(value, "_repr_html_", None)
    return draw() if draw is not None else repr(value)


def test_the_file_is_a_notebook_without_outputs() -> None:
    assert (CONTENT["nbformat"], CONTENT["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in CONTENT["cells"]}) == len(CONTENT["cells"])
    for cell in CONTENT["cells"]:
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | (
            {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        )
        assert not cell.get("outputs"), "outputs are made by whoever runs it"


def test_every_cell_runs_and_shows_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("intdim.launch.pool.LocalSlots", lambda *arguments, **named: finished_runs.launcher())
    names: dict[str, Any] = {"__name__": "__main__"}
    with torch.random.fork_rng():
        shown = [executed(source, names) for source in CODE]

    everything = "\n".join(shown)
    assert "data:image/png;base64," in everything
    assert "small on made" in everything
    assert "('worst-class', 'done')" in everything
    assert "outputs/reports/notebook" in everything
    assert capsys.readouterr().out.startswith("Verdict(small on made: ")
    assert (tmp_path / "outputs" / "reports" / "notebook" / "index.html").is_file()
    assert 3 <= names["verdict"].runs <= 12
