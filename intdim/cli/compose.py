"""Hydra behind the command word: one top config per command, flags in any place, errors of at most three lines.

Hydra keeps what is its own: ``-m``, ``--cfg job``, ``--help``, ``--config-dir``, ``hydra/launcher=``. With its
in-process launcher the cells of a grid are collected and handed back together; with any other launcher each cell is
worked on where that launcher put it.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intdim.errors import UserError, suggest

# Hydra's flags that take a value; the rest take none.
VALUED = {"--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd", "--cfg", "-c"}
GROUPS = ("model", "task", "projection", "subspace", "search", "train", "launch", "experiment")
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

Cell = tuple[DictConfig, frozenset[str]]


def conf_folder() -> Path:
    """Return the folder of our configuration files: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def cells(command: str, arguments: list[str], work: Callable[[list[Cell]], int]) -> int:
    """Compose the configuration of ``command`` and call ``work`` with its cells; return the exit status.

    Args:
        command: names the top config.
        arguments: what follows the command word.
        work: takes (configuration, typed keys) of each cell; called once for all cells, or once per cell in the
            process of a launcher that is not Hydra's own. Not called at all for ``--help`` and ``--cfg``.

    Raises:
        UserError: the configuration cannot be composed.
    """
    flags, overrides = split(arguments)
    overrides = completed(check(overrides, command), command)
    collected: list[Cell] = []

    def task(cfg: DictConfig) -> int:
        mine = HydraConfig.get()
        typed = frozenset(_key(override) for override in mine.overrides.task)
        cell = (OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]), typed)
        elsewhere = mine.mode == RunMode.MULTIRUN and mine.launcher.get("_target_") != BASIC_LAUNCHER
        if elsewhere:
            return work([cell])
        collected.append(cell)
        return 0

    _compose(command, [*flags, *overrides], task)
    return work(collected) if collected else 0


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return (flags with their values, overrides): Hydra wants its flags first."""
    flags: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if word in VALUED and rest:
            flags.append(rest.pop(0))
        elif word in ("--info", "-i") and rest and "=" not in rest[0]:
            flags.append(rest.pop(0))
    return flags, overrides


def check(overrides: list[str], command: str) -> list[str]:
    """Refuse what Hydra would take silently or explain badly; return the overrides."""
    known = known_keys(command)
    for override in overrides:
        key = _key(override)
        if "=" not in override and not override.startswith("~"):
            raise UserError(
                f"{override!r} is neither a flag nor key=value",
                "intdim <command> [flags] [key=value ...]",
                _near(override, known) or f"`intdim {command} --help` lists the keys.",
            )
        if override.startswith(("+", "~")):
            raise UserError(
                f"{override!r}: keys cannot be added or removed",
                "keys that exist, without + or ~",
                _near(key, known) or f"`intdim {command} --cfg job` shows every key.",
            )
        if re.match(r"hydra\.(launcher|sweeper)=", override):
            raise UserError(
                f"{override!r} would be ignored",
                "a group is chosen with a slash",
                f"Write {override.replace('.', '/', 1)}",
            )
        if key.startswith("hydra") or key in known or key.startswith("model.overrides."):
            continue
        raise UserError(
            f"unknown key {key!r}",
            _near(key, known) or "Known at the top: " + ", ".join(sorted(name for name in known if "." not in name)),
            f"`intdim {command} --cfg job` shows every key.",
        )
    return overrides


def completed(overrides: list[str], command: str) -> list[str]:
    """Add the choice that a path implies: ``model.path=`` without a model means model=local, ``task.path=`` without a
    task means the task that the folder is named after, if there is one, else task=local."""
    keys = {_key(override): override.partition("=")[2] for override in overrides}
    added = []
    if "model.path" in keys and "model" not in keys:
        added.append("model=local")
    if "task.path" in keys and "task" not in keys:
        folder = Path(keys["task.path"].strip("'\"")).name
        added.append(f"task={folder}" if folder in choices("task") else "task=local")
    # the overrides of a model are an open table: Hydra wants to be told so
    opened = [f"++{override}" if override.startswith("model.overrides.") else override for override in overrides]
    return [*added, *opened]


def choices(group: str) -> list[str]:
    """Return the names of a config group's files, a user's own folder included."""
    folders = [conf_folder(), *([Path(mine)] if (mine := os.environ.get("INTDIM_CONFIG_PATH")) else [])]
    found: set[str] = set()
    for folder in folders:
        base = folder / group
        if base.is_dir():
            found |= {file.relative_to(base).with_suffix("").as_posix() for file in base.rglob("*.yaml")}
    return sorted(found)


def known_keys(command: str) -> set[str]:
    """Return every key that a command's configuration has: groups, and dotted names of values."""
    top = yaml.safe_load((conf_folder() / f"{command}.yaml").read_text(encoding="utf-8"))
    known = set(_dotted({key: value for key, value in top.items() if key not in ("defaults", "hydra")}))
    used = {next(iter(item)).removeprefix("optional ") for item in top["defaults"] if isinstance(item, dict)}
    for group in used & set(GROUPS):
        known.add(group)
        for file in sorted((conf_folder() / group).glob("*.yaml")):
            content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            if group == "experiment":
                continue
            content = content.get(group, content) if isinstance(content, dict) else {}
            known |= set(_dotted({key: value for key, value in content.items() if key != "defaults"}, f"{group}."))
            break  # the files of a group have the same keys; a test sees to that
    return known


def _dotted(value: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, inner in value.items():
        names.append(f"{prefix}{key}")
        if isinstance(inner, dict) and inner:
            names += _dotted(inner, f"{prefix}{key}.")
    return names


class UserFolder(SearchPathPlugin):
    """Puts the folder of INTDIM_CONFIG_PATH before ours."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        mine = os.environ.get("INTDIM_CONFIG_PATH")
        if mine:
            search_path.prepend("intdim-user", f"file://{Path(mine).expanduser().resolve()}", "main")


def _compose(command: str, arguments: list[str], task: Callable[[DictConfig], int]) -> None:
    mine = os.environ.get("INTDIM_CONFIG_PATH")
    if mine and not Path(mine).expanduser().is_dir():
        raise UserError(
            f"INTDIM_CONFIG_PATH={mine} is no folder", "a folder with config groups", "Correct or unset it."
        )
    Plugins.instance().register(UserFolder)
    before, complaint = (sys.argv, dict(os.environ)), io.StringIO()
    with tempfile.TemporaryDirectory(prefix="intdim-hydra-") as scratch:
        os.environ["INTDIM_HYDRA_FOLDER"] = scratch  # Hydra leaves its multirun.yaml there, not in the results
        os.environ["HYDRA_FULL_ERROR"] = "1"  # raise instead of printing
        sys.argv = [f"intdim {command}", *arguments]
        try:
            with contextlib.redirect_stderr(complaint):
                hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=command)(task)()
        except (HydraException, OmegaConfBaseException) as error:
            raise translated(error, command) from error
        except SystemExit as ended:  # argparse: an unknown flag
            if ended.code not in (0, None):
                said = complaint.getvalue().strip().splitlines() or [f"exit status {ended.code}"]
                raise UserError(
                    said[-1], "Hydra's flags and key=value", f"See intdim {command} --hydra-help."
                ) from None
        finally:
            sys.argv = before[0]
            for name in ("INTDIM_HYDRA_FOLDER", "HYDRA_FULL_ERROR"):
                if name in before[1]:
                    os.environ[name] = before[1][name]
                else:
                    os.environ.pop(name, None)


def translated(error: BaseException, command: str) -> UserError:
    """Turn Hydra's and OmegaConf's errors into ours."""
    text = str(error)
    missing = re.search(r"Could not find '([^'/]+)/([^']+)'", text) or re.search(
        r"Could not override '(\w+)'.*?(?:No match|not found)", text, re.DOTALL
    )
    if missing and missing.lastindex == 2:
        group, name = missing.groups()
        return UserError(f"unknown {group} {name!r}", suggest(name, choices(group)), _own(group))
    if "Ambiguous value" in text or "use -m" in text:
        return UserError(
            text.splitlines()[0], "one value, or a grid", "Add -m for a grid, or quote a value with commas."
        )
    named = re.search(r"full_key: (\S+)", text) or re.search(r"Key '([^']+)' is not in struct", text)
    if named:
        known = known_keys(command)
        return UserError(
            f"unknown key {named.group(1)!r}", _near(named.group(1), known), "`--cfg job` shows every key."
        )
    first = [line for line in text.splitlines() if line.strip()]
    return UserError(first[0] if first else type(error).__name__, *first[1:2], "`--cfg job` shows the configuration.")


def _own(group: str) -> str:
    ways = {
        "model": "Any other model: model=hub model.reference=owner/name, or model.path=DIR.",
        "task": "Any other task: task=hub task.reference=owner/name, or task.path=DIR.",
    }
    return ways.get(group, "")


def _near(word: str, known: set[str]) -> str:
    bare = word.lstrip("+~")
    close = difflib.get_close_matches(bare, sorted(known), n=3, cutoff=0.6)
    close += [
        name for name in sorted(known) if name.rpartition(".")[2] == bare.rpartition(".")[2] and name not in close
    ]
    return f"did you mean {' or '.join(close[:3])}?" if close else ""


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition("@")[0]
