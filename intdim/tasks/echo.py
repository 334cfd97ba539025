"""Words of the data as messages show them: short, on one line, without characters that steer a terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST = 40  # characters of one value
SIMPLE = re.compile(r"\w[\w.+-]*")
MEANS_ELSE = ("true", "false", "null")
QUOTES = frozenset("'\"\\$")
INVISIBLE = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")  # control, format, private, surrogate, line and paragraph separators


def plain(text: str, most: int = LONGEST) -> str:
    """Return a text with invisible characters escaped (``\\x1b``), cut to ``most`` characters."""
    cut = len(text) > most
    kept = text[: most - 3] if cut else text
    seen = "".join(one if _visible(one) else one.encode("unicode_escape").decode("ascii") for one in kept)
    return seen + "..." if cut else seen


def quoted(value: Any, most: int = LONGEST) -> str:
    """Return a word in quotes and anything else as it prints, like ``repr``, short and visible."""
    return f"'{plain(value, most)}'" if isinstance(value, str) else plain(str(value), most)


def listed(values: Iterable[str], most: int = 8) -> str:
    """Return the first values, joined by commas."""
    shown = [plain(value) for value in values]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")


def typed(key: str, values: Sequence[str], several: bool) -> str:
    """Return ``key=value`` (of ``several`` values ``key=[a,b]``) as it can be pasted into a shell.

    Words with blanks and signs go into quotes, and so does what would be read as a truth; where even that would not
    do, the value is left out.
    """
    brackets = "[{}]" if several else "{}"
    if values and all(SIMPLE.fullmatch(value) and value.lower() not in MEANS_ELSE for value in values):
        return f"{key}={brackets.format(','.join(values))}"
    if not values or any(has_invisible(value) or QUOTES.intersection(value) or len(value) > 80 for value in values):
        return f"{key}={brackets.format('...')}"
    quotes = ",".join(f'"{value}"' for value in values)
    return f"'{key}={brackets.format(quotes)}'"


def has_invisible(text: str) -> bool:
    """Tell whether a text holds characters that cannot be seen, tabs and line ends included."""
    return not all(_visible(one) for one in text)


def _visible(one: str) -> bool:
    blank = unicodedata.category(one) == "Zs" and one != " "  # a non-breaking space looks like a blank and is none
    return not blank and unicodedata.category(one) not in INVISIBLE
