"""What is typed is refused where Hydra would read it for minutes, call what it names, or say nothing that helps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from intdim.cli.config_files import CALLABLE, hydra_fault
from intdim.cli.quoting import is_quoted, shell_quoted
from intdim.errors import UserError, echo

LONGEST = 20_000  # characters of an override
DEEPEST = 20  # brackets within brackets
HYDRA_FLAGS = ("--run", "--info", "--cfg", "--help", "--version", "--resolve", "--package")  # words that a key may be
FOLDERS = {"model": "model.path", "task": "task.path"}  # what was meant where a group is given a folder


def check_size(override: str, key: str) -> None:
    """Refuse what Hydra would read for minutes, or not at all."""
    if len(override) > LONGEST:
        raise UserError(
            f"{echo(key)}=... has {len(override):,} characters", f"at most {LONGEST:,}", "Write it into a file."
        )
    depth = deepest = 0
    for one in override:
        depth += (one in "[{(") - (one in "]})")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise UserError(f"{echo(key)}=... has brackets {deepest} deep", f"at most {DEEPEST} deep", "Correct it.")


def check_hydra(override: str, key: str) -> None:
    """Refuse keys of Hydra that would call something, read other folders, or change the environment."""
    if CALLABLE in override:
        raise UserError(
            f"'{echo(override)}' names a callable",
            "hydra/launcher=NAME, a launcher that is installed",
            "Choose it by its name.",
        )
    fact, allowed = hydra_fault(key[len("hydra.") :])
    if fact:
        raise UserError(fact, allowed, "A folder of your own: --config-dir, or INTDIM_CONFIG_PATH.")


def check_folder(key: str, value: str) -> None:
    """Refuse a folder in the place of a name, with what was meant."""
    if key not in FOLDERS or not _looks_like_a_folder(value):
        return
    path = FOLDERS[key]
    if is_folder(value) or (is_quoted(value) and is_folder(value[1:-1])):
        what, do = "is a folder, and", f"Write {shell_quoted(f'{path}={value}')}"
    else:
        what, do = "names no folder that is there, and", f"Check the path, and write it as {path}="
    raise UserError(f"{key}={echo(value)} {what} {key}= takes a name", f"{path}=DIR", do)


def check_blanks(words: Sequence[str]) -> None:
    """Refuse blanks around the sign =, which make several words of one."""
    for place, word in enumerate(words):
        before, after = words[place - 1 : place] or [""], words[place + 1 : place + 2] or [""]
        key, value = "", ""
        if word.startswith("="):
            key, value = before[0], word[1:] or after[0]
        elif word.endswith("=") and word.count("=") == 1 and after[0] and "=" not in after[0]:
            key, value = word[:-1], after[0]
        if key and "=" not in key:
            raise UserError(
                f"there are blanks around = after '{echo(key)}'",
                "key=value, which is one word",
                f"Write {shell_quoted(f'{key}={value}')}",
            )


def check_dashes(words: Sequence[str], known: Callable[[], frozenset[str]]) -> None:
    """Refuse a key that is written like a flag; ``known`` returns the keys, which takes a moment."""
    for place, word in enumerate(words):
        flag, sign, value = word.partition("=")
        if not flag.startswith("--") or flag in HYDRA_FLAGS or (key := flag.lstrip("-")) not in known():
            continue
        after = words[place + 1 : place + 2]
        if not sign and after and not after[0].startswith("-") and "=" not in after[0]:
            value = after[0]
        raise UserError(
            f"'{echo(flag)}' is no flag but a key: keys have no dashes",
            "key=value, which is one word",
            f"Write {shell_quoted(f'{key}={value}') if value else f'{key}=...'}",
        )


def _looks_like_a_folder(value: str) -> bool:
    bare = value.strip("'\"")
    return bool(re.match(r"~|/|\.\.?(/|$)", bare)) or ("/" in bare and is_folder(bare))


def is_folder(path: str) -> bool:
    """Tell whether there is a folder of this name; one that no folder can have is none."""
    try:
        return Path(path).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a zero character, no home
        return False
