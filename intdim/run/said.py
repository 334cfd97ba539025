"""What our own modules log while something is built, for the run's log.txt and the facts of a cell."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Said:
    """``notes`` say what was decided, ``warnings`` what makes a number doubtful; each once, in order."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def take(self, record: logging.LogRecord) -> None:
        """Take one record of the log."""
        kept, message = self.warnings if record.levelno >= logging.WARNING else self.notes, record.getMessage()
        if message not in kept:
            kept.append(message)

    def lines(self) -> list[str]:
        """Return the lines of log.txt."""
        return [f"note: {note}" for note in self.notes] + [f"warning: {warning}" for warning in self.warnings]


@contextlib.contextmanager
def listening() -> Iterator[Said]:
    """Collect what the loggers of ``intdim`` say, from notes (INFO) on; the worker's own log is not kept."""
    said, source = Said(), logging.getLogger("intdim")
    handler = logging.Handler(logging.INFO)
    handler.emit = said.take
    level = source.level
    source.addHandler(handler)
    source.setLevel(min(source.getEffectiveLevel(), logging.INFO))
    try:
        yield said
    finally:
        source.removeHandler(handler)
        source.setLevel(level)
