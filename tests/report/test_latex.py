"""Text for LaTeX: commands, ligatures, ends of lines and letters that pdfLaTeX does not know; and the table."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from intdim.report.latex import NOTE, latex_escape
from intdim.report.latex_table import latex_table
from intdim.report.records import read_sweeps

from . import fake


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("roberta-base", "roberta-base"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("under_$10_to_$20^x", r"under\_\$10\_to\_\$20\textasciicircum{}x"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("[x]*", "{[}x{]}{*}"),
        ("a\nb\r\n\n\tc", "a b c"),
        ("50 %\n", r"50 \%"),
        ('"`', r"\char34{}\char96{}"),
        ("Zoë ß Łódź", "Zoë ß Łódź"),
        ("e\u0308", "ë"),
        ("情a", "{[}U+60C5{]}a"),
        ("a\u202eb\x1b", "a{[}U+202E{]}b{[}U+001B{]}"),
        ("", ""),
    ],
)
def test_no_character_has_a_meaning(text: str, escaped: str) -> None:
    assert latex_escape(text) == escaped


def test_a_table_says_that_it_names_characters(out: Path) -> None:
    fake.sweep(out, task="情感")
    text = latex_table(read_sweeps(out)[0])
    assert text.isascii()
    assert text.endswith(NOTE + "\n")
    assert NOTE not in latex_table([fake.record(out / "other")])


def cells(text: str) -> list[list[str]]:
    """Return the cells of the head and of each row."""
    body = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r" \\")]
    return [re.split(r"(?<!\\)& ", line) for line in body]


def caption(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(r"\caption{"))


def test_a_table_has_balanced_columns_and_escapes(out: Path) -> None:
    fake.sweep(out, model=r"50%_of & #1 {a}~b^c$d\e", trivial=True)
    text = latex_table(read_sweeps(out)[0])
    columns = re.search(r"tabular}{(\w+)}", text)
    assert columns
    head, row = cells(text)
    assert len(head) == len(row) == len(columns[1])
    assert row[0].strip() == r"50\%\_of \& \#1 \{a\}\textasciitilde{}b\textasciicircum{}c\$d\textbackslash{}e"
    assert row[3].strip() == r"$2{,}175\ [1{,}871,\ 2{,}545]$\textsuperscript{*}"
    assert "majority class alone" in caption(text)
    assert latex_escape("<|>") == r"\textless{}\textbar{}\textgreater{}"
    for begun in re.findall(r"\\begin{(\w+)}", text):
        assert text.count(rf"\end{{{begun}}}") == 1


def test_what_all_share_is_in_the_caption_and_what_differs_in_columns(out: Path) -> None:
    fake.sweep(out, projection="one_hot", scope="layer", metric="f1")
    text = latex_table(read_sweeps(out)[0])
    assert r"\label{tab:d90}" in text
    said = caption(text)
    for words in ("DID", r"one\_hot", "layer", r"expected f1 reaches 90 \% of the score", r"90\,\% interval"):
        assert words in said
    assert [name.strip() for name in cells(text)[0]] == [
        "Model", "Task", "$D$", "$d_{90}$ [low, high]", "Baseline", "Runs",
    ]  # fmt: skip

    fake.sweep(out, method="said", projection="fastfood", scope="layer", metric="f1", seed=1)
    text = latex_table(read_sweeps(out)[0])
    head, *rows = ([cell.strip() for cell in row] for row in cells(text))
    assert head[2:4] == ["Method", "Projection"]
    assert sorted(row[2] for row in rows) == ["DID", "SAID (layer)"]
    assert "DID" not in caption(text)
    assert "layer" in caption(text)


@pytest.mark.parametrize(
    ("ends", "cell"),
    [
        ((1283.0, 1745.0), r"-- $[1{,}283,\ 1{,}745]$"),
        ((619.0, None), r"-- $({>}\,619)$"),
        ((None, 90.0), r"-- $({<}\,90)$"),
        ((None, None), "--"),
    ],
)
def test_known_intervals_of_budget_spent_are_kept(
    out: Path, ends: tuple[float | None, float | None], cell: str
) -> None:
    record = fake.record(out, status="budget_spent", d90=123456.0, d90_low=ends[0], d90_high=ends[1])
    text = latex_table([record])
    assert cells(text)[1][3].strip() == cell
    assert ("runs were used up" in caption(text)) is (ends != (None, None))
    assert "123" not in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_a_table_compiles(out: Path, tmp_path: Path) -> None:
    for number, status in enumerate(fake.STATUSES):
        name = "Zoë_$10 情 [x]" if number == 1 else "tiny"
        fake.sweep(
            out, model=name, status=status, method="said" if number % 2 else "did", seed=number, trivial=number == 0
        )
    (tmp_path / "d90.tex").write_text(latex_table(read_sweeps(out)[0]), encoding="utf-8")
    whole = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{d90}Table~\ref{tab:d90}\end{document}"
    (tmp_path / "paper.tex").write_text(whole, encoding="utf-8")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=tmp_path,
                          capture_output=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]
    assert (tmp_path / "paper.pdf").is_file()
