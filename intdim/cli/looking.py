"""The commands that only look (and ``remove``): what is typed, read without Hydra where it is plain, so that they are
quick; anything else goes Hydra's way, with the errors, ``--help`` and ``--cfg`` of the other commands.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from intdim.cli.conf_folder import conf_folder
from intdim.cli.quoting import hydra_quoted

PLAIN = re.compile(r"[\w./~@%:-]+", re.ASCII)  # of a value that Hydra would take as it stands
NUMBER = re.compile(r"-?\d[\d_]*|[\d.]+e[+-]?\d+|true|false|null|inf|nan", re.IGNORECASE)  # and not as text
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SWITCHES = {"--json": "json=true", "--force": "force=true", "--runs": "runs=true", "--yes": "ask=false"}

Settings = dict[str, Any]


def look(command: str, arguments: Sequence[str], work: Callable[[Settings], int], bare: str = "ids") -> int:
    """Read the settings of a command and call ``work`` with them; return the exit status.

    Args:
        command: names the top configuration.
        arguments: what follows the command word.
        work: takes the settings; ``out`` is a ``Path``.
        bare: the key that words without a key belong to.

    Raises:
        UserError: what was typed makes no sense.
    """
    defaults = _defaults(command)
    words, rest = _sorted(arguments, defaults)
    settings = _plain(rest, defaults)
    if settings is not None and not (words and bare not in defaults):
        many = isinstance(defaults.get(bare), list)
        if not words:
            return work(settings)
        if many or (len(words) == 1 and PLAIN.fullmatch(words[0])):
            return work(settings | {bare: list(words) if many else words[0]})
    return _by_hydra(command, words, rest, work, bare, defaults)


def print_json(data: Any) -> None:
    """Print data as JSON, a list with one line for each of its entries."""
    if isinstance(data, list):
        encode = json.JSONEncoder(allow_nan=False, ensure_ascii=False).encode
        lines = [encode(one) for one in data]
        print("[\n" + ",\n".join(lines) + "\n]" if lines else "[]")
    else:
        print(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False))


def _defaults(command: str) -> Settings:
    """Return the keys of a command with the values they have in its file."""
    top = yaml.load((conf_folder() / f"{command}.yaml").read_text(encoding="utf-8"), Loader=LOADER)
    return {key: value for key, value in top.items() if key not in ("defaults", "hydra")}


def _sorted(arguments: Sequence[str], defaults: Settings) -> tuple[list[str], list[str]]:
    """Return the bare words, and the rest with each of our switches written as a key."""
    ours = {flag: word for flag, word in SWITCHES.items() if word.partition("=")[0] in defaults}
    words = [word for word in arguments if not word.startswith(("-", "+")) and "=" not in word]
    valued = any(word.startswith("-") and word not in ours for word in arguments)
    if valued:  # a flag of Hydra's may be followed by its value
        from intdim.cli.overrides import split

        flags, overrides = split([word for word in arguments if word not in ours])
        words = [word for word in overrides if "=" not in word and not word.startswith(("+", "~"))]
        switched = [ours[word] for word in arguments if word in ours]
        return words, [*flags, *(word for word in overrides if word not in words), *switched]
    return words, [ours.get(word, word) for word in arguments if word not in words]


def _plain(rest: Sequence[str], defaults: Settings) -> Settings | None:
    """Return the settings where every word is a key that exists with a value that needs no reading; else None."""
    found: Settings = {}
    for word in rest:
        key, sign, text = word.partition("=")
        default = defaults.get(key)
        if not sign or key not in defaults or key in found or not PLAIN.fullmatch(text):
            return None
        if isinstance(default, bool):
            if text not in ("true", "false"):
                return None
            found[key] = text == "true"
        elif isinstance(default, int):
            if not re.fullmatch(r"\d{1,9}", text):
                return None
            found[key] = int(text)
        elif isinstance(default, str):
            if NUMBER.fullmatch(text) or text.startswith("~"):
                return None
            found[key] = text
        else:
            return None
    settings = defaults | found
    return settings | {"out": Path(settings["out"])}


def _by_hydra(
    command: str,
    words: Sequence[str],
    rest: Sequence[str],
    work: Callable[[Settings], int],
    bare: str,
    defaults: Settings,
) -> int:
    from omegaconf import DictConfig

    from intdim.cli.compose import cells
    from intdim.config import Checked

    def checked(made: list[DictConfig]) -> int:
        for cfg in made:
            check = Checked(cfg)
            settings = {key: _value(check, key, default) for key, default in defaults.items()}
            settings["out"] = check.out()
            check.done()
            status = work(settings)
            if status:
                return status
        return 0

    typed = list(rest)
    if words and isinstance(defaults.get(bare), list):
        typed.append(f"{bare}=[{','.join(hydra_quoted(word) for word in words)}]")
    elif words:
        typed += [f"{bare}={hydra_quoted(words[0])}" if bare in defaults else words[0], *words[1:]]
    return cells(command, typed, checked)


def _value(check: Any, key: str, default: object) -> Any:
    if isinstance(default, bool):
        return check.switch(key)
    if isinstance(default, int):
        return check.whole(key, 0)
    return list(check.texts(key)) if isinstance(default, list) else check.text(key)


def confirmed(question: str) -> bool | None:
    """Ask on the terminal; None where nobody is there to answer."""
    if not sys.stdin or not sys.stdin.isatty():
        return None
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
