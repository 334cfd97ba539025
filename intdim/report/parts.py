"""What the page is made of: tables, cells, links, pictures and small curves, as the templates show them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """Text that leads somewhere: a place on the page (``#...``) or a file beside it. ``more`` is read to those who hear
    the page, where the text alone does not say where it leads."""

    text: str
    href: str
    more: str = ""


@dataclass(frozen=True)
class Spark:
    """A small curve: ``points`` of a polyline in a box of ``width`` by ``height``, a ``dot`` on it, and ``words`` that
    describe it."""

    points: str
    dot: tuple[float, float] | None
    words: str
    width: int
    height: int


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it says, "" where links or a curve say it.
        note: a second line, smaller.
        key: what its column is sorted by; None in a column that has keys: sorted last.
        look: ``text`` (may break), ``number`` (one line), ``answer`` (a number that stands out), ``code``
            or ``id`` (code on one line).
        href: where its text leads, "" for nowhere.
        links: behind the text.
        spark: a small curve behind these.
        anchor: id of its row, for links to it.
    """

    text: str
    note: str = ""
    key: float | None = None
    look: str = "text"
    href: str = ""
    links: tuple[Link, ...] = ()
    spark: Spark | None = None
    anchor: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption. ``heading`` is the column whose cell is the heading of its row; ``sortable``: a reader
    may sort it; ``cards``: each row is a card on a narrow screen."""

    caption: str
    head: tuple[str, ...]
    rows: list[list[Cell]]
    heading: int = 0
    sortable: bool = False
    cards: bool = False

    @classmethod
    def of(
        cls,
        caption: str,
        head: Sequence[str],
        rows: Iterable[Iterable[object]],
        heading: int = 0,
        sortable: bool = False,
        cards: bool = False,
    ) -> Table:
        """Return a table in which whatever is no cell has become one: links as links, the rest as text."""
        return cls(caption, tuple(head), [[_cell(one) for one in row] for row in rows], heading, sortable, cards)


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


def number(text: str, key: float | None, note: str = "") -> Cell:
    """Return a cell with a number that stays on one line and sorts by ``key``."""
    return Cell(text, note=note, key=key, look="number")


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    if isinstance(value, Link):
        return Cell(value.text, href=value.href)
    text = str(value)
    return Cell(text, look="number" if len(text) <= 14 else "text")
