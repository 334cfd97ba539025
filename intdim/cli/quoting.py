"""How a text is typed so that it arrives as it is: in Hydra's quotes, and those in the shell's."""

from __future__ import annotations

import re
import shlex


def pasted(key: str, value: str) -> str:
    """Return ``key='value'`` as one word of a shell: pasted there, the value is this text, whatever is in it."""
    return shell_quoted(f"{key}={hydra_quoted(value)}")


def hydra_quoted(text: str) -> str:
    """Return a text in Hydra's single quotes: a quote in it, and the backslashes before one, have a backslash each."""
    inner = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{inner}'"


def is_quoted(text: str) -> bool:
    """Tell whether a value was typed in Hydra's own quotes."""
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


def shell_quoted(text: str) -> str:
    """Return a text as one word of a shell, in double quotes where nothing in it would mean something there."""
    if text and shlex.quote(text) == text:
        return text
    special = re.search(r'["$`!\x00-\x1f]|\\$|\\\\', text)
    return shlex.quote(text) if special else f'"{text}"'
