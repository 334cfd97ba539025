"""Figures drawn behind a wall: what breaks there, the library, a font, a name, costs one picture and nothing else."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from intdim.durable import write_bytes, write_text
from intdim.errors import echo

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from intdim.report.style import Look

    Draw = Callable[[float, Look], Figure]

STYLES = ("screen", "paper")  # the names in ``style.LOOKS``, which takes matplotlib
BACKEND = "MPLBACKEND"
LONGEST_REASON = 240
FULL = (errno.ENOSPC, errno.EDQUOT)  # the rest of the report has no room either


class Figures:
    """The figures of a report, each beside the CSV that it was drawn from.

    Args:
        folder: that the files go into.
        style: how they look, one of ``STYLES``.
        lengths: curves show the step length of each run.

    Attributes:
        left_out: one line for each that could not be drawn.
    """

    def __init__(self, folder: Path, style: str = "screen", lengths: bool = False) -> None:
        self.folder, self.style, self.lengths = folder, style, lengths
        self.left_out: list[str] = []

    def add(self, stem: str, name: str, numbers: str, draw: Draw) -> bytes | None:
        """Write a figure in every width and kind of file.

        Args:
            stem: of the names of its files.
            name: what it is called where it had to be left out.
            numbers: the text of the CSV, which is written in any case.
            draw: makes the figure for a width in inches and a look; it imports what it draws with.

        Returns:
            The PNG, None where the figure could not be drawn.

        Raises:
            OSError: the files cannot be written, or the disk is full.
        """
        write_text(self.folder / f"{stem}.csv", numbers)
        try:
            import_matplotlib()
            from intdim.report.style import render_all

            look = self.look()
            made = render_all(lambda width: draw(width, look), look)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise
            self.left_out.append(f"{name}: {why(error)}")
            return None

        for end, data in made.items():
            write_bytes(self.folder / f"{stem}{end}", data)
        return made[".png"]

    def look(self) -> Look:
        """Return how the figures look; it takes matplotlib to say so."""
        from intdim.report.style import LOOKS

        return replace(LOOKS[self.style], lengths=self.lengths)


def why(error: BaseException) -> str:
    """Return what an error says, in a few words."""
    return echo(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": "), LONGEST_REASON)


def import_matplotlib() -> None:
    """Import matplotlib whatever MPLBACKEND names: that of a notebook breaks the import where its package is missing.

    Raises:
        ImportError: it is not installed, or broken; in the second case it may be any other error.
    """
    backend = os.environ.get(BACKEND, "")
    if "matplotlib" in sys.modules or not backend:
        importlib.import_module("matplotlib")
        return

    del os.environ[BACKEND]
    try:
        made = importlib.import_module("matplotlib")
    finally:
        os.environ[BACKEND] = backend
    with contextlib.suppress(ValueError):  # for the program that we are in, as matplotlib would have done
        made.rcParams["backend"] = backend
