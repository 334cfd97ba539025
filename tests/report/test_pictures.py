"""What keeps a figure from being drawn costs that figure and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pandas
import pytest

from intdim.errors import echo
from intdim.report import report, style, try_curve, try_losses, write_curve
from intdim.report.curve import curve_marks
from intdim.report.figures import draw_curve
from intdim.report.typeset import wrap

from . import fake
from .drawn import boxes

NAMES = [
    "under_$10_to_$20^x",
    r"$\frac{",
    "情感<b>&amp;",
    "a\x00b\x1b[2J\nc",
    "x" * 3000,
    "$",
    r"\text{$}",
    "\U0001f600",
]


def fresh(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    settings = {**os.environ, **environment}
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=settings, check=False
    )


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_formulas(out: Path, name: str) -> None:
    record = fake.record(out, task=name)
    figure = draw_curve(record.verdict, curve_marks(record))
    heading = "".join(text.get_text() for text in figure.texts)
    assert echo(name, 60).split(" ... ", maxsplit=1)[0] in heading
    assert all(text for text, _ in boxes(figure))


def test_one_bad_figure_is_left_out_and_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = fake.sweep(out, seed=1), fake.sweep(out, task="bad", seed=2)
    render = style.render

    def fail(draw, kind: str, look: style.Look) -> bytes:
        words = draw.args[0] if draw.args else 0
        assert words
        if any("bad" in text for text, _ in boxes(draw())) and kind == "pdf":
            raise RuntimeError("no such font\x1b[31m")
        return render(draw, kind, look) if kind == "png" else b"%PDF"

    monkeypatch.setattr(style, "render", fail)
    told: list[str] = []
    folder = report(out, tell=told.append)
    assert len(told) == 2, "the curve and the comparison that names it"
    assert f"the curve of tiny on bad ({bad}): RuntimeError: no such font\\x1b[31m" in told[0]
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "could not be drawn" in page
    assert f"on bad ({bad})" in page
    pictures = [file.name for file in (folder / "figures").glob("*.png")]
    assert len(pictures) == 1
    assert good[:8] in pictures[0]
    assert len(list((folder / "figures").glob("*.csv"))) == 3, "numbers are there in any case"
    assert set(pandas.read_csv(folder / "d90.csv")["sweep_id"]) == {good, bad}


def test_a_folder_in_the_place_of_a_curve_is_set_aside(out: Path) -> None:
    sweep_id = fake.sweep(out)
    (out / "sweeps" / sweep_id / "curve.png").mkdir()
    said = try_curve(out, sweep_id)
    assert said == "", "a folder in its place is set aside"
    assert (out / "sweeps" / sweep_id / "curve.png").is_file()
    assert try_losses(out / "nowhere").startswith("the loss curve in")


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "TkAgg"])
def test_the_backend_of_the_environment_does_not_matter(out: Path, backend: str) -> None:
    sweep_id = fake.sweep(out)
    code = f"from pathlib import Path; from intdim.report import *; write_curve(Path({str(out)!r}), {sweep_id!r})"
    done = fresh(code, MPLBACKEND=backend)
    assert done.returncode == 0, done.stderr
    first = (out / "sweeps" / sweep_id / "curve.png").read_bytes()
    (out / "sweeps" / sweep_id / "curve.png").unlink()
    write_curve(out, sweep_id)
    assert (out / "sweeps" / sweep_id / "curve.png").read_bytes() == first


def test_a_broken_matplotlib_costs_the_figures_alone(out: Path, tmp_path: Path) -> None:
    fake.sweep(out)
    (tmp_path / "broken" / "matplotlib").mkdir(parents=True)
    (tmp_path / "broken" / "matplotlib" / "__init__.py").write_text("raise RuntimeError('libfreetype is missing')\n")
    code = f"""
from pathlib import Path
from intdim.report import report, try_curve, read_sweeps
out = Path({str(out)!r})
folder = report(out, tell=print)
print(try_curve(out, read_sweeps(out)[0][0].sweep_id))
print(sorted(path.name for path in folder.iterdir()))
"""
    done = fresh(code, PYTHONPATH=str(tmp_path / "broken"))
    assert done.returncode == 0, done.stderr
    left_out, curve, names = done.stdout.splitlines()
    assert "RuntimeError: libfreetype is missing" in left_out
    assert "could not be drawn (RuntimeError: libfreetype is missing)" in curve
    assert "index.html" in names


def test_settings_of_the_user_do_not_count(out: Path) -> None:
    record = fake.record(out)

    def png() -> bytes:
        return style.render(lambda: draw_curve(record.verdict, curve_marks(record)), "png")

    expected = png()
    with matplotlib.rc_context({"text.usetex": True, "font.size": 40, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert png() == expected
        assert matplotlib.rcParams["text.usetex"] is True


def test_a_line_of_a_figure_shows_what_cannot_be_seen() -> None:
    assert wrap("a\x07b", 5.0, 8.0) == [r"a\x07b"]
    assert len(wrap("x" * 3000, 3.0, 8.0)) < 12
