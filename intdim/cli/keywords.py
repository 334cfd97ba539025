"""Keyword arguments as the words of a command line, and those words composed: the errors are the command line's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from intdim.cli.compose import cells
from intdim.cli.looking import NUMBER, PLAIN
from intdim.cli.quoting import hydra_quoted
from intdim.errors import UserError, echo

if TYPE_CHECKING:
    from omegaconf import DictConfig


def words_of(keys: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield keys and values as the words of a command line.

    Raises:
        UserError: a value is nothing that can be typed.
    """
    for key, value in keys.items():
        if isinstance(value, Mapping) and f"{prefix}{key}" != "model.overrides":
            yield from words_of(value, f"{prefix}{key}.")
        elif isinstance(value, Mapping):
            yield from (f"{prefix}{key}.{name}={_word(key, one)}" for name, one in value.items())
        else:
            yield f"{prefix}{key}={_word(f'{prefix}{key}', value)}"


def composed(command: str, words: list[str]) -> DictConfig:
    """Return the configuration of one cell.

    Raises:
        UserError: an unknown key, a value that cannot be read, or something else that does not compose.
    """
    made: list[DictConfig] = []
    cells(command, words, lambda cfgs: made.extend(cfgs) or 0)
    (only,) = made
    return only


def _word(key: str, value: object) -> str:
    """Return a value as Hydra reads it."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:  # one number of numpy or torch
        with contextlib.suppress(RuntimeError):  # on a device without content: refused below
            value = item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and not NUMBER.fullmatch(value) else hydra_quoted(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(_word(key, one) for one in value)}]"
    raise UserError(
        f"{echo(key)} is {echo(repr(value))}, a {type(value).__name__}",
        "text, a number, true or false, a list or a table of these",
        "Objects go to model=, tokenizer=, task= and metric= of intdim.sweep and intdim.train.",
    )
