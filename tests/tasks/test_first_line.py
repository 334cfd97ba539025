"""A first line with another separator, or that is a row of data: said as what it is, and nothing else is."""

from __future__ import annotations

import pytest

from . import made
from .made import folder, refused, request

DATA = [("A quiet film, with a strong ending.", "good"), ("Two hours that I want back.", "bad")] * 10


def train(tmp_path, name: str, lines: list[str]):
    path = folder(tmp_path)
    (path / "train.csv").unlink()
    (path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [(), ("text",)])
@pytest.mark.parametrize(
    ("name", "separator", "called", "advice"),
    [
        ("train.csv", ";", "semicolons, not by commas", "read_csv(..., sep=';').to_csv(..., index=False)"),
        ("train.csv", "\t", "tabs, not by commas", "call it train.tsv"),
        ("train.csv", "|", "bars, not by commas", "Write it with commas"),
        ("train.tsv", ",", "commas, not by tabs", "Call it train.csv"),
        ("train.tsv", ";", "semicolons, not by tabs", "Write it with commas"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_another_separator_is_named(tmp_path, text, name, separator, called, advice, quote):
    lines = [separator.join(f"{quote}{cell}{quote}" for cell in row) for row in [("text", "label"), *DATA]]
    message = refused(request(train(tmp_path, name, lines), text=text))
    assert f"{name} is separated by {called}" in message
    assert advice in message


@pytest.mark.parametrize("text", [(), ("text",)])
@pytest.mark.parametrize("name", ["train.csv", "train.tsv"])
@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (DATA, "'A quiet film, with a strong ending.'"),
        ([(f"word{n}", n % 2) for n in range(8)], "'0'"),
        ([(f"A film that I saw {n} times", n) for n in range(8)], "'A film that I saw 0 times'"),
    ],
)
def test_a_first_line_of_data_is_said_to_be_no_header(tmp_path, text, name, rows, shown):
    form = '"{}",{}' if name == "train.csv" else "{}\t{}"
    message = refused(request(train(tmp_path, name, [form.format(*row) for row in rows]), text=text))
    assert f"{name} seems to have no header: its first line looks like data ({shown})" in message


@pytest.mark.parametrize("label", ["gold", "gold | answer"])
def test_a_header_that_names_other_columns_is_a_header(tmp_path, label):
    path = train(tmp_path, "train.csv", ["text,label", *(f'"{text}",{label}' for text, label in DATA)])
    assert "has no column" in refused(request(path, label=label))


def test_a_header_that_names_the_label_is_believed(tmp_path):
    header = "How did you like the film; and why,label"
    lines = [header, *(f"word{n} is good,{n % 2}" for n in range(20))]
    path = train(tmp_path, "train.csv", lines)
    (path / "validation.csv").write_text("\n".join([header, *(f"word{n} is bad,{n % 2}" for n in range(20))]) + "\n")
    assert made.read(request(path, text=())).text == ("How did you like the film; and why",)


def test_a_header_that_is_repeated_below_is_no_class(tmp_path):
    path = train(tmp_path, "train.csv", ["text,class", "a,0", "b,1", "text,class", "c,0"])
    assert "has no column" in refused(request(path))
