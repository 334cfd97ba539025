from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas
import pytest

from intdim import report as package
from intdim.errors import RunFailed, UserError
from intdim.report import report, write_curve
from intdim.report.records import read_sweeps
from intdim.report.tables import D90_COLUMNS, RUN_COLUMNS, latex_escape, latex_table

from . import fake


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time of a report; tests that do not look at them do without."""
    monkeypatch.setattr("intdim.report.typeset.render", lambda draw, kind: kind.encode())


def grid(out: Path) -> list[str]:
    return [fake.sweep(out, method=method, projection="one_hot", seed=i) for i, method in enumerate(("did", "said"))]


def test_a_report_has_every_file_and_each_figure_its_numbers(out: Path) -> None:
    fake.sweep(out, method="did", ds=(64, 1024))
    fake.sweep(out, method="said", ds=(64, 1024))
    folder = report(out)
    assert folder == out / "reports" / "latest"
    names = {path.name for path in folder.iterdir()}
    assert names == {"d90.csv", "d90.tex", "d90.parquet", "points.csv", "runs.csv", "figures", "index.html"}
    figures = {path.name for path in (folder / "figures").iterdir()}
    pictures = {name.removesuffix(".png") for name in figures if name.endswith(".png")}
    assert len(pictures) == 3
    for stem in pictures:
        assert {f"{stem}.csv", f"{stem}.pdf", f"{stem}-narrow.pdf"} <= figures
        assert len(pandas.read_csv(folder / "figures" / f"{stem}.csv")) > 3
    assert not list((out / "reports").glob(".*"))


@pytest.mark.usefixtures("blank")
def test_d90_has_the_columns_of_the_verdict_in_order(out: Path) -> None:
    sweep_id = fake.sweep(out)
    folder = report(out)
    verdict = json.loads((out / "sweeps" / sweep_id / "verdict.json").read_text())
    table = pandas.read_csv(folder / "d90.csv")
    assert tuple(table.columns[: len(D90_COLUMNS)]) == D90_COLUMNS
    assert all(name.startswith("other_") for name in table.columns[len(D90_COLUMNS) : -2])
    row = table.iloc[0]
    for name in set(D90_COLUMNS) - {"run_ids"}:
        assert row[name] == verdict[name], name
    assert row["run_ids"].split() == verdict["run_ids"]
    assert row["other_d90"] == verdict["other"]["d90"]
    stored = pandas.read_parquet(folder / "d90.parquet")
    assert list(stored.columns) == list(table.columns)
    assert stored["d90"].tolist() == table["d90"].tolist()


@pytest.mark.usefixtures("blank")
def test_runs_carry_the_relative_gap(out: Path) -> None:
    fake.sweep(out, failed=1)
    table = pandas.read_csv(report(out) / "runs.csv")
    assert tuple(table.columns) == RUN_COLUMNS
    assert len(table) == len(list((out / "runs").iterdir()))
    done = table[table["status"] == "done"]
    expected = (done["train_score"] - done["eval_score"]) / (1 - done["eval_score"])
    assert done["gap"].tolist() == pytest.approx(expected.tolist())
    lost = table[table["status"] == "failed"]
    assert len(lost) == 1
    assert lost[["eval_score", "train_score", "gap"]].isna().all(axis=None)


@pytest.mark.usefixtures("blank")
def test_points_keep_every_point(out: Path) -> None:
    ids = grid(out)
    table = pandas.read_csv(report(out) / "points.csv")
    for sweep_id in ids:
        own = pandas.read_csv(out / "sweeps" / sweep_id / "points.csv")
        kept = table[table["sweep_id"] == sweep_id][list(own.columns)].reset_index(drop=True)
        pandas.testing.assert_frame_equal(kept, own, check_dtype=False)


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize(
    ("status", "tex", "words"),
    [
        ("below_range", r"$\le 8$", "≤ 8"),
        ("above_range", "$> 65{,}536$", "&gt; 65,536"),
        ("not_monotone", "--", "–"),
        ("no_baseline", "--", "–"),
        ("budget_spent", "--", "–"),
    ],
)
def test_a_censored_verdict_is_never_a_number(out: Path, status: str, tex: str, words: str) -> None:
    fake.sweep(out, status=status, d90=123456)  # a number that must not come through
    folder = report(out)
    line = next(line for line in (folder / "d90.tex").read_text().splitlines() if line.startswith("tiny"))
    assert line.split(" & ")[6] == tex
    assert f">{words}<" in (folder / "index.html").read_text()
    assert pandas.read_csv(folder / "d90.csv")["d90"].isna().all()
    for path in folder.rglob("*"):
        if path.suffix in (".csv", ".tex", ".html") and path.name != "points.csv":
            assert "123456" not in path.read_text()
            assert "123,456" not in path.read_text()


def test_latex_has_balanced_columns_and_escapes(out: Path) -> None:
    fake.sweep(out, model=r"50%_of & #1 {a}~b^c$d\e", trivial=True)
    text = latex_table(read_sweeps(out)[0])
    columns = re.search(r"tabular}{(\w+)}", text)
    assert columns
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns[1]) - 1
    assert r"50\%\_of \& \#1 \{a\}\textasciitilde{}b\textasciicircum{}c\$d\textbackslash{}e" in body[1]
    assert r"$2{,}175\ [1{,}871,\ 2{,}545]$" in body[1]
    assert r"\textsuperscript{*}" in body[1]
    assert latex_escape("<|>") == r"\textless{}\textbar{}\textgreater{}"


@pytest.mark.usefixtures("blank")
def test_one_seed_shows_no_spread(out: Path) -> None:
    fake.sweep(out, baseline_seeds=1, baseline_std=0.0, baseline_mean=0.61)
    folder = report(out)
    assert " & $0.610$ & " in (folder / "d90.tex").read_text()
    text = (folder / "index.html").read_text()
    assert "0.610, 1 seed<" in text
    assert "0.610 ±" not in text


class Page(HTMLParser):
    """Checks that tags nest, and collects links, sources and ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [str(values[key]) for key in ("href", "src") if key in values]
        self.ids += [str(values["id"])] if "id" in values else []
        if tag == "img":
            self.images.append(values)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.usefixtures("blank")
def test_the_page_stands_alone_and_is_accessible(out: Path) -> None:
    ids = grid(out)
    fake.sweep(out, model="<script>alert(1)</script>", task='"a" & b')
    (out / "sweeps" / "feedfeedfeedfeed").mkdir()
    folder = report(out)
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert "<script" not in text
    assert "feedfeedfeedfeed" in text
    assert len(page.images) == 4
    for image in page.images:
        assert str(image["src"]).startswith("data:image/png;base64,")
        assert len(str(image["alt"])) > 30
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        elif not link.startswith("data:"):
            assert (folder / link).exists(), link
    assert "http" not in re.sub(r"data:image[^\"]*", "", text)
    assert '<html lang="en">' in text
    assert "prefers-color-scheme: dark" in text
    assert len(page.ids) == len(set(page.ids))
    for sweep_id in ids:
        verdict = json.loads((out / "sweeps" / sweep_id / "verdict.json").read_text())
        assert verdict["message"] in text
        assert all(run_id in text for run_id in verdict["run_ids"] + verdict["baseline_run_ids"])


@pytest.mark.usefixtures("blank")
def test_chosen_sweeps_bring_their_own_runs(out: Path) -> None:
    first, second = grid(out)
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


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", ".hidden"])
def test_a_report_stays_in_its_folder(out: Path, name: str) -> None:
    fake.sweep(out)
    with pytest.raises(UserError, match="cannot name"):
        report(out, name)


@pytest.mark.parametrize("damage", ['{"status": ', "[]", "\xff"])
def test_damaged_files_are_named(out: Path, damage: str) -> None:
    path = out / "sweeps" / fake.sweep(out) / "verdict.json"
    path.write_text(damage, encoding="latin-1")
    with pytest.raises(UserError, match=re.escape(str(path))):
        report(out)


@pytest.mark.usefixtures("blank")
def test_a_failing_report_leaves_the_old_one(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.sweep(out)
    folder = report(out)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    fake.sweep(out, method="said")
    with monkeypatch.context() as broken:
        broken.setattr("intdim.report.page.page", lambda *_: 1 / 0)
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
    monkeypatch.setattr("intdim.report.typeset.render", lambda draw, kind: kind.encode())
    before = (report(out) / "index.html").read_bytes()

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("intdim.report.typeset.render", full)
    fake.sweep(out, method="said")
    with pytest.raises(RunFailed, match="No space left"):
        report(out)
    assert (out / "reports" / "latest" / "index.html").read_bytes() == before
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]


def test_without_exchange_two_renames_do(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.sweep(out)
    monkeypatch.setattr(package.ctypes, "CDLL", lambda _: object())
    report(out)
    fake.sweep(out, method="said")
    assert len(pandas.read_csv(report(out) / "d90.csv")) == 2
    assert [path.name for path in (out / "reports").iterdir()] == ["latest"]


def test_same_data_same_report(out: Path) -> None:
    fake.sweep(out)
    first = {p.name: p.read_bytes() for p in report(out, "a").rglob("*") if p.is_file()}
    second = {p.name: p.read_bytes() for p in report(out, "b").rglob("*") if p.is_file()}
    assert first == second


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
