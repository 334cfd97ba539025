"""What is typed is refused where Hydra would read it for minutes, call what it names, or say nothing that helps."""

from __future__ import annotations

import re
from pathlib import Path

from intdim.cli.config_files import CALLABLE, hydra_fault
from intdim.cli.quoting import shell_quoted
from intdim.errors import UserError, echo

LONGEST = 20_000  # characters of an override
DEEPEST = 20  # brackets within brackets
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
    if key in FOLDERS and _looks_like_a_folder(value):
        raise UserError(
            f"{key}={echo(value)} is a folder, and {key}= takes a name",
            f"{FOLDERS[key]}=DIR",
            f"Write {shell_quoted(f'{FOLDERS[key]}={value}')}",
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
