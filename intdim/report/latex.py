"""Text for LaTeX: nothing in it is a command, and pdfLaTeX knows every letter."""

from __future__ import annotations

import re
import unicodedata

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "`": r"\char96{}",
    "[": "{[}",  # after the end of a row it would be an argument of that
    "]": "{]}",
    "*": "{*}",
    "·": r"\textperiodcentered{}",
    "±": r"\textpm{}",
    "–": r"\textendash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
}
LIGATURE = re.compile(r"([-,'])(?=\1)")  # two of them are printed as something else
# Letters that every font has: a Latin one with an accent on or below it, and a few more.
ACCENTS = set("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
LETTERS = set("ßæÆøØłŁœŒ")
NOTE = "% [U+...] stands for a character that pdfLaTeX may not know; d90.csv has it."


def latex_escape(text: str) -> str:
    """Return text in which no character has a meaning for LaTeX, on one line. A character that pdfLaTeX may not know
    is named: ``[U+60C5]``."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    return LIGATURE.sub(r"\1{}", "".join(_escaped(one) for one in line))


def has_named(text: str) -> bool:
    """Tell whether ``latex_escape`` named a character."""
    return "{[}U+" in text


def _escaped(one: str) -> str:
    if one in SPECIAL:
        return SPECIAL[one]
    if " " <= one <= "~" or one in LETTERS:
        return one
    base, *marks = unicodedata.normalize("NFD", one)
    accented = base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in ACCENTS
    return one if accented else f"{{[}}U+{ord(one):04X}{{]}}"
