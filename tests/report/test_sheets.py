"""CSV files of a report: no cell is a formula, numbers stay numbers, and our reader gives the text back."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas
import pytest

from intdim.report import report
from intdim.report.sheets import cell_text, csv_text, plain_text, read_csv

from . import fake

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    "''@x",
    "=cmd|' /C calc'!A0",
    "＝1",
]
HARMLESS = ["tiny", "", "'", "'tiny'", "a=b", "1.5", "-1.5", "-inf", "1e5", "情感", "x\ty"]


@pytest.mark.parametrize("text", [*FORMULAS, *HARMLESS])
def test_a_text_comes_back(text: str) -> None:
    cell = cell_text(text)
    assert plain_text(cell) == text
    assert cell == (f"'{text}" if text in FORMULAS else text)


def test_numbers_keep_every_digit() -> None:
    text = csv_text(("name", "value", "none"), [["=x", -0.1 - 0.2, None], ["y", -3, None]])
    assert text == "name,value,none\n'=x,-0.30000000000000004,\ny,-3,\n"
    assert list(csv.reader(io.StringIO(text)))[1] == ["'=x", "-0.30000000000000004", ""]


@pytest.mark.usefixtures("blank")
def test_no_cell_of_a_report_is_a_formula(out: Path) -> None:
    names = {"model": '=HYPERLINK("http://x")', "task": "@task, with\ta tab"}
    for number, method in enumerate(("did", "said")):
        fake.sweep(out, **names, method=method, seed=number, chance=-0.02)
    folder = report(out)
    for file in folder.rglob("*.csv"):
        for row in csv.reader(io.StringIO(file.read_text(encoding="utf-8"))):
            assert not any(cell[:1] in "=@\t\r" and cell for cell in row), file
    assert {row["model"] for row in read_csv(folder / "d90.csv")} == {names["model"]}
    assert {row["task"] for row in read_csv(folder / "runs.csv")} == {names["task"]}
    assert set(pandas.read_csv(folder / "d90.csv")["chance"]) == {-0.02}
    assert set(pandas.read_parquet(folder / "d90.parquet")["model"]) == {names["model"]}
