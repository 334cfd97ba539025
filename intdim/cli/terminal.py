"""The terminal cannot end a measurement: what it cannot show is escaped, and what nobody reads any more is dropped.

Text is text: names of models and tasks hold no markup, and a console that measures three columns gets lines that fold.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 40  # columns of a table; a narrower terminal folds its lines


class Steady:
    """A text stream that goes quiet where it cannot be written to: closed by its reader, on a full disk, gone.

    Args:
        stream: the stream behind it, which has every other attribute.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)

    def write(self, text: str) -> int:
        """Write text, or drop it; return how many characters it has."""
        with self._quiet():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        with self._quiet():
            self._stream.flush()

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: the stream was closed
            with contextlib.suppress(OSError, ValueError):  # what is left in its buffer must go somewhere, too
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Make printing safe: both streams exist, escape what their encoding lacks, and never raise."""
    _open_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _steady(sys.stdout, 1), _steady(sys.stderr, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def console() -> Console:
    """Return a console that shows text as it is."""
    from rich.console import Console

    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    columns = os.environ.get("COLUMNS", "")
    width = max(NARROWEST, int(columns)) if columns.isascii() and columns.isdigit() and len(columns) < 6 else None
    return Console(highlight=False, markup=False, emoji=False, width=width, _environ=environment)


def _open_descriptors() -> None:
    """Open the three standard descriptors where the shell closed them: the next file opened would take their place,
    and what is printed would go there."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _steady(stream: TextIO | None, number: int) -> Any:
    if stream is None:  # closed when Python started
        stream = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    return Steady(stream)
