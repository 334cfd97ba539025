"""What all blocks share: reading a file of results, and writing a number or a table as documents show them."""

from __future__ import annotations

import csv
import json
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results"
DASH = "–"
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def read(name: str) -> dict[str, Any]:
    """Return a JSON file of ``scripts/results``."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file of ``scripts/results``."""
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def prose(*sentences: str) -> str:
    """Return sentences as one paragraph with lines of at most 110 characters."""
    return textwrap.fill(" ".join(sentences), 110, break_long_words=False, break_on_hyphens=False)


def whole(value: float | str) -> str:
    """Return a number rounded to a whole one, with commas: ``1,935``."""
    return f"{round(float(value)):,}"


def signed(value: float, digits: int) -> str:
    """Return a number with its sign, the minus as a minus: ``+0.008``, ``−0.010``."""
    return f"{value:+.{digits}f}".replace("-", "−")


def interval(low: float | str, high: float | str) -> str:
    """Return the ends of an interval as whole numbers: ``[192, 409]``."""
    return f"[{whole(low)}, {whole(high)}]"


def count(number: int) -> str:
    """Return a small number as a word."""
    return COUNTS[number] if number < len(COUNTS) else f"{number:,}"


def to(values: Iterable[float], digits: int) -> str:
    """Return the range of values: ``0.53 to 0.57``, or one number where they round to the same."""
    written = [f"{value:.{digits}f}" for value in sorted(values)]
    return written[0] if written[0] == written[-1] else f"{written[0]} to {written[-1]}"


def machine(record: dict[str, Any]) -> str:
    """Say where figures were measured: ``two cores, Python 3.11.7, torch 2.13.0+cpu``."""
    facts = record.get("machine", {})
    versions = facts.get("versions", {}) | record.get("versions", {}) | facts
    words = [f"{count(facts['cores'])} cores"]
    words += [f"{name} {versions[key]}" for name, key in (("Python", "python"), ("torch", "torch")) if key in versions]
    return ", ".join(words)
