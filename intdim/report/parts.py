"""What the page is made of: tables, links and pictures, as the templates show them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A cell that leads to the sweep with this id on the same page."""

    text: str
    sweep_id: str


@dataclass(frozen=True)
class Table:
    """A table with a caption. The first cell of a row is its heading and may be a link; the others are text."""

    caption: str
    head: tuple[str, ...]
    rows: list[list[str | Link]]

    @classmethod
    def of(cls, caption: str, head: Sequence[str], rows: Iterable[Iterable[object]]) -> Table:
        """Return a table in which every cell that is no link is text."""
        cells = [[cell if isinstance(cell, Link) else str(cell) for cell in row] for row in rows]
        return cls(caption, tuple(head), cells)


@dataclass(frozen=True)
class Picture:
    """A PNG inside the page: ``words`` describe it, ``stem`` names its files under ``figures/``, ``data`` is the PNG in
    base64."""

    words: str
    stem: str
    data: str

    @classmethod
    def of(cls, png: bytes, words: str, stem: str) -> Picture:
        """Return the picture of these bytes."""
        return cls(words, stem, base64.b64encode(png).decode("ascii"))
