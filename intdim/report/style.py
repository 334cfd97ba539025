"""How figures look, and how they become the content of files."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Look:
    """How the figures of a report look.

    Attributes:
        narrow: width in inches for one column of a journal.
        wide: width in inches for both columns, or the text of a page.
        fonts: families, the first that has a letter draws it; both ship with matplotlib.
        titled: title, answer and status stand inside the picture; a paper says them in its caption.
        lengths: under the curve of a sweep, the step length of each run.
    """

    narrow: float = 3.3
    wide: float = 6.0
    fonts: tuple[str, ...] = ("DejaVu Sans",)
    titled: bool = True
    lengths: bool = False

    @property
    def widths(self) -> dict[str, float]:
        """The width of each picture, by the end of its file name."""
        return {".png": self.wide, ".pdf": self.wide, "-narrow.pdf": self.narrow}


SCREEN = Look()
PAPER = Look(narrow=3.25, wide=6.75, fonts=("STIXGeneral", "DejaVu Serif"), titled=False)
LOOKS = {"screen": SCREEN, "paper": PAPER}

# Okabe and Ito's colours: told apart by readers with any of the common colour deficiencies. Line styles and marks
# differ as well, for print without colour.
RUN, CURVE, BASELINE, BAR, CHANCE, D90 = "#333333", "#0072B2", "#007A5A", "#C04F00", "#6B6B6B", "#A3478A"
INK = "#1A1A1A"

# Type 42 keeps letters as letters in a PDF, which journals ask for.
STYLE: dict[Any, Any] = {
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.bbox": None,
    "path.simplify": False,
    "hatch.linewidth": 0.5,
    "text.hinting": "no_hinting",  # letters are as wide in pixels as the outlines that are measured
    "text.parse_math": False,  # names are no formulas, whatever stands between two dollars
}
_NO_LOOKS = ("backend", "date.epoch", "docstring", "figure.max_open", "figure.raise", "interactive",
             "savefig.directory", "timezone", "tk.", "toolbar", "webagg")  # fmt: skip
_BACKENDS = {"png": "agg", "pdf": "pdf"}  # whatever MPLBACKEND says
# No dates and no versions: the same data gives the same bytes.
_METADATA = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}


def letter_size(width: float) -> float:
    """Return the size of letters in points for a figure of this width in inches."""
    return 8.0 if width >= 4.5 else 7.0


@contextlib.contextmanager
def drawing(look: Look = SCREEN) -> Iterator[None]:
    """Draw with these settings alone: what a user's matplotlibrc says does not count, and warnings are not raised."""
    usual: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    ours = {key: value for key, value in usual.items() if not key.startswith(_NO_LOOKS)}
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")
        fonts: dict[Any, Any] = {"font.family": list(look.fonts)}  # that ship with matplotlib: alike on every machine
        matplotlib.rcParams.update(ours | STYLE | fonts)
        yield


def render(draw: Callable[[], Figure], kind: str, look: Look = SCREEN) -> bytes:
    """Return a figure as PNG (200 dots per inch) or PDF; the same data gives the same bytes."""
    buffer = io.BytesIO()
    with drawing(look):
        draw().savefig(buffer, format=kind, backend=_BACKENDS[kind], dpi=200, metadata=_METADATA[kind])
    return buffer.getvalue()


def render_all(draw: Callable[[float], Figure], look: Look = SCREEN) -> dict[str, bytes]:
    """Return a figure in every width and kind of file.

    Args:
        draw: makes the figure for a width in inches.
        look: its widths and fonts.

    Returns:
        The content of each file, by the end of its name, as in ``look.widths``.
    """
    return {end: render(partial(draw, width), end.rpartition(".")[2], look) for end, width in look.widths.items()}
