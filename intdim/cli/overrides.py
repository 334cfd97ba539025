"""What is typed behind a command word: flags apart from overrides, and the checks that Hydra does not make."""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from intdim.cli.conf_folder import conf_folder
from intdim.cli.quoting import hydra_quoted, is_quoted, shell_quoted
from intdim.cli.typed import check_blanks, check_dashes, check_folder, check_hydra, check_size
from intdim.errors import LONGEST_VALUE, UserError, echo, suggest

# Hydra's flags that take a value; the rest take none.
VALUED = {"--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--cfg", "-c"}
GROUPS = ("model", "task", "projection", "subspace", "search", "train", "launch", "track", "trajectory", "experiment")
PATHS = ("out", "model.path", "task.path", "corpus.path", "run", "to")
OPEN = "model.overrides."  # a table of the user's own keys
BASE = "_base"  # the file of a group with the keys that all its others have


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return (flags with their values, overrides): Hydra wants its flags first.

    Raises:
        UserError: a key is written like a flag, or with blanks around =.
    """
    check_dashes(arguments, all_keys)
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if word.startswith("--e"):  # --experimental-rerun, perhaps shortened: Hydra would unpickle the file
            raise UserError(f"{echo(word)} is no flag of intdim", "Hydra's other flags", "Take it out.")
        if (word in VALUED and rest) or (word in ("--info", "-i") and rest and "=" not in rest[0]):
            flags.append(rest.pop(0))
    check_blanks(overrides)
    return flags, overrides


def with_run(arguments: list[str]) -> list[str]:
    """Return the arguments of a command that is about a run with its bare word written as ``run=``."""
    flags, rest = split(arguments)
    bare = [word for word in rest if "=" not in word and not word.startswith(("+", "~"))]
    if len(bare) > 1:
        raise UserError(f"several runs are named: {', '.join(bare)}", "one run", "Give the command once for each.")
    return [*flags, *(f"run={word}" if word in bare else word for word in rest)]


def check(overrides: list[str], command: str) -> None:
    """Refuse what Hydra would take silently or explain badly; raises ``UserError``."""
    known = known_keys(command)
    every = f"`intdim {command} --cfg job` shows every key."
    for override in overrides:
        key, sign, value = override.lstrip("+~").partition("=")
        key = key.partition("@")[0]
        near_by = near(key, known)
        check_size(override, key)
        if not sign and not override.startswith("~"):
            raise UserError(
                f"'{echo(override)}' is neither a flag nor key=value",
                "intdim <command> [flags] [key=value ...]",
                near_by or f"`intdim {command} --help` lists the keys.",
            )
        if override.startswith(("+", "~")):
            there = sign and (key in known or key.startswith(OPEN))
            raise UserError(
                f"'{echo(override)}': keys cannot be added or removed",
                "keys that exist, without + or ~",
                f"Write {shell_quoted(override.lstrip('+~'))}" if there else near_by or every,
            )
        if re.fullmatch(r"hydra\.(launcher|sweeper)", key):
            raise UserError(
                f"'{echo(override)}' would be ignored",
                "a group is chosen with a slash",
                f"Write {shell_quoted(override.replace('.', '/', 1))}",
            )
        if key.startswith(("hydra.", "hydra/")):
            check_hydra(override, key)
        if key not in known and not key.startswith(("hydra.", "hydra/", OPEN)):
            at_top = "Known at the top: " + ", ".join(sorted(name for name in known if "." not in name))
            raise UserError(f"unknown key '{echo(key)}'", near_by or at_top, every)
        if key in GROUPS and key != "experiment" and value in ("", "null"):
            raise UserError(f"'{echo(override)}' names no {key}", suggest("", choices(key)), own(key))
        check_folder(key, value)
        if key in GROUPS and BASE in re.findall(r"[^\s,()\[\]'\"]+", value):
            raise UserError(f"unknown {key} {BASE!r}", suggest(BASE, choices(key)), own(key))


def completed(overrides: list[str], flags: list[str], command: str = "sweep") -> list[str]:
    """Return the overrides as Hydra wants them, with the choices that paths imply.

    ``model.path=`` without a model means model=local; ``task.path=`` without a task means the task that the folder
    is named after, if there is one, else task=local.
    """
    typed = {key: value for key, _, value in (override.partition("=") for override in overrides)}
    grid = "-m" in flags or "--multirun" in flags
    made = []
    if "model.path" in typed and "model" not in typed and command != "pretrain":  # which has no group of models
        made.append("model=local")
    if "task.path" in typed and "task" not in typed:
        made.append(f"task={_task_of(typed['task.path'], grid)}")
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "experiment":
            if value in ("", "null"):
                continue
            _check_experiments(value, flags)
        if key in PATHS and value not in ("", "null") and not is_quoted(value) and "\\" not in value:
            override = override if grid and re.search(r"[,(]", value) else f"{key}={hydra_quoted(value)}"
        # the overrides of a model are an open table: Hydra wants to be told so
        made.append(f"++{override}" if f"{key}.".startswith(OPEN) else override)
    return made


def _task_of(paths: str, grid: bool) -> str:
    """Return the task that the folders are named after; Hydra chooses it once for all paths of a grid."""
    parts = paths.split(",") if grid else [paths]
    known = choices("task")
    names = {folder if (folder := Path(part.strip(" '\"")).name) in known else "local" for part in parts}
    if len(names) > 1:
        raise UserError(
            f"task.path={echo(paths)} are folders of different tasks",
            "folders of one task in a grid",
            f"Name it (task=local reads any folder), or make several sweeps: {', '.join(sorted(names))}.",
        )
    return names.pop()


def _check_experiments(value: str, flags: list[str]) -> None:
    """Hydra passes over an optional group's unknown name in silence."""
    if "(" in value:
        return  # choice(...), glob(...)
    known = choices("experiment", flags)
    for name in re.findall(r"[^\s,\[\]'\"]+", value):
        if name not in known:
            raise UserError(f"unknown experiment '{echo(name)}'", suggest(name, known), "")


def choices(group: str, flags: Iterable[str] = ()) -> list[str]:
    """Return the names of a config group's files, the user's own folders included."""
    folders = [conf_folder()]
    if mine := os.environ.get("INTDIM_CONFIG_PATH"):
        folders.append(Path(mine).expanduser())
    words = list(flags)
    for place, word in enumerate(words):
        flag, sign, value = word.partition("=")
        if flag in ("--config-dir", "-cd") and (sign or place + 1 < len(words)):
            folders.append(Path(value if sign else words[place + 1]).expanduser())
    found: set[str] = set()
    for folder in folders:
        base = folder / group
        if base.is_dir():
            files = (file for file in base.rglob("*.yaml") if file.is_file())
            found |= {file.relative_to(base).with_suffix("").as_posix() for file in files}
    return sorted(found - {BASE})


@functools.cache
def known_keys(command: str) -> frozenset[str]:
    """Return every key that a command's configuration has: groups, and dotted names of values."""
    top = yaml.safe_load((conf_folder() / f"{command}.yaml").read_text(encoding="utf-8"))
    known = set(dotted({key: value for key, value in top.items() if key not in ("defaults", "hydra")}))
    used = {next(iter(item)).removeprefix("optional ") for item in top["defaults"] if isinstance(item, dict)}
    for group in used & set(GROUPS):
        known.add(group)
        if group == "experiment":
            continue
        known |= set(dotted(_keys_of(conf_folder() / group), f"{group}."))
    return frozenset(known)


def all_keys() -> frozenset[str]:
    """Return the keys of all commands."""
    return frozenset().union(*(known_keys(file.stem) for file in conf_folder().glob("*.yaml")))


def _keys_of(folder: Path) -> dict[str, Any]:
    """Return the table of a group's keys: its common file, else any file, since all have the same (a test sees to
    that)."""
    base = folder / f"{BASE}.yaml"
    file = base if base.exists() else min(folder.glob("*.yaml"))
    content: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return content


def dotted(value: Mapping[Any, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of a nested table, its inner tables included."""
    for key, inner in value.items():
        yield f"{prefix}{key}"
        if isinstance(inner, Mapping):
            yield from dotted(inner, f"{prefix}{key}.")


def own(group: str) -> str:
    """Say how to name something that has no file, where a group has such a way."""
    ways = {
        "model": "Any other model: model=hub model.reference=owner/name, or model.path=DIR.",
        "task": "Any other task: task=hub task.reference=owner/name, or task.path=DIR.",
    }
    return ways.get(group, "")


def near(word: str, known: frozenset[str]) -> str:
    """Return ``did you mean a or b?`` for a key that does not exist; empty where nothing is like it."""
    word = word[:LONGEST_VALUE]
    others = sorted(known - {word})
    close = difflib.get_close_matches(word, others, n=3, cutoff=0.6)
    last = word.rpartition(".")[2]
    close += [name for name in others if name.rpartition(".")[2] == last and name not in close]
    return f"did you mean {' or '.join(close[:3])}?" if close else ""
