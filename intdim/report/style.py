"""How figures look, and how they become the content of files."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import matplotlib
from matplotlib.figure import Figure

NARROW = 3.3  # inches, one column of a journal
WIDE = 6.0  # inches, the text width of a page
FILES = {".png": WIDE, ".pdf": WIDE, "-narrow.pdf": NARROW}  # width of each picture, by the end of its file name

# Okabe and Ito's colours: told apart by readers with any of the common colour deficiencies. Line styles and marks
# differ as well, for print without colour.
RUN, CURVE, BASELINE, BAR, CHANCE, D90 = "#333333", "#0072B2", "#007A5A", "#C04F00", "#6B6B6B", "#A3478A"
INK = "#1A1A1A"

# Type 42 keeps letters as letters in a PDF, which journals ask for.
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same picture on every machine
    "pdf.fonttype": 42,
    "axes.unicode_minus": True,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "savefig.bbox": None,
    "path.simplify": False,
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
def drawing() -> Iterator[None]:
    """Draw with these settings alone: what a user's matplotlibrc says does not count, and warnings are not raised."""
    usual: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    ours = {key: value for key, value in usual.items() if not key.startswith(_NO_LOOKS)}
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")
        matplotlib.rcParams.update(ours | STYLE)
        yield


def render(draw: Callable[[], Figure], kind: str) -> bytes:
    """Return a figure as PNG (200 dots per inch) or PDF; the same data gives the same bytes."""
    buffer = io.BytesIO()
    with drawing():
        draw().savefig(buffer, format=kind, backend=_BACKENDS[kind], dpi=200, metadata=_METADATA[kind])
    return buffer.getvalue()


def render_all(draw: Callable[[float], Figure]) -> dict[str, bytes]:
    """Return a figure in every width and kind of file.

    Args:
        draw: makes the figure for a width in inches.

    Returns:
        The content of each file, by the end of its name, as in ``FILES``.
    """
    return {end: render(partial(draw, width), end.rpartition(".")[2]) for end, width in FILES.items()}
