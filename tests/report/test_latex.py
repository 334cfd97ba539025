"""Text for LaTeX: commands, ligatures, ends of lines and letters that pdfLaTeX does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.report.latex import NOTE, latex_escape
from intdim.report.records import read_sweeps
from intdim.report.tables import latex_table

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
