"""Hydra behind the command word: one top config per command, flags in any place, errors of at most three lines.

Hydra keeps what is its own: ``-m``, ``--cfg job``, ``--help``, ``--config-dir``, ``hydra/launcher=``. With its
in-process launcher the cells of a grid are collected and handed back together; with any other launcher each cell is
measured where that launcher put it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intdim.cli import callables, search_path
from intdim.cli.overrides import (
    GROUPS,
    OPEN,
    check,
    choices,
    completed,
    conf_folder,
    dotted,
    known_keys,
    near,
    own,
    split,
)
from intdim.cli.quoting import pasted
from intdim.cli.typed import is_folder
from intdim.errors import UserError, echo, suggest

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def cells(command: str, arguments: list[str], work: Callable[[list[DictConfig]], int]) -> int:
    """Compose the configuration of ``command`` and call ``work`` with its cells; return the exit status.

    Args:
        command: names the top config.
        arguments: what follows the command word.
        work: takes the configuration of each cell; called once for all cells, or once per cell in the process of a
            launcher that is not Hydra's own. Not called at all for ``--help`` and ``--cfg``.

    Raises:
        UserError: the configuration cannot be composed.
    """
    flags, overrides = split(arguments)
    check(overrides, command)
    collected: list[DictConfig] = []

    def task(cfg: DictConfig) -> int:
        OmegaConf.resolve(cfg)
        refuse_foreign(cfg, command)
        mine = HydraConfig.get()
        if mine.mode == RunMode.MULTIRUN and mine.launcher.get("_target_") != BASIC_LAUNCHER:
            return work([cfg])
        collected.append(cfg)
        return 0

    with _scratch(overrides):
        compose(command, f"intdim {command}", [*flags, *completed(overrides, flags, command)], task)
    return work(collected) if collected else 0


def compose(command: str, program: str, arguments: list[str], task: Callable[[DictConfig], int]) -> None:
    """Hand the command line to Hydra under the name ``program``; ``task`` gets each composed configuration.

    Raises:
        UserError: what was typed, or a configuration file, cannot be composed.
    """
    mine = os.environ.get("INTDIM_CONFIG_PATH")
    if mine and not is_folder(mine):
        raise UserError(
            f"INTDIM_CONFIG_PATH={echo(mine)} is not a folder", "a folder with config groups", "Correct or unset it."
        )
    begun, complaint = [], io.StringIO()

    def watched(cfg: DictConfig) -> int:
        begun.append(True)
        return task(cfg)

    full = _environment("HYDRA_FULL_ERROR", "1")  # raise instead of printing
    with full, _program(program, arguments), search_path.registered(), callables.refused():
        try:
            with contextlib.redirect_stderr(complaint):
                hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=command)(watched)()
        except UserError:
            raise
        except (HydraException, OmegaConfBaseException) as error:
            raise translated(error, command) from error
        except Exception as error:
            if begun:
                raise
            raise translated(error, command) from error  # a broken file of the user's own, a value of a wrong kind
        except SystemExit as ended:  # argparse: an unknown flag
            if ended.code not in (0, None):
                said = complaint.getvalue().strip().splitlines() or [f"exit status {ended.code}"]
                raise UserError(
                    said[-1], "Hydra's flags and key=value", f"See intdim {command} --hydra-help."
                ) from None


def refuse_foreign(cfg: DictConfig, command: str) -> None:
    """Raise for a key that only a configuration file can have brought: Hydra would carry it along unread."""
    known = known_keys(command)
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    for key in dotted(plain):
        if key not in known and not key.startswith(OPEN):
            bare = key.removeprefix("experiment.")
            package = key.startswith("experiment.") and bare in known
            raise UserError(
                f"a configuration file brings the unknown key '{echo(key)}'",
                near(bare, known) or f"keys of `intdim {command} --cfg job`",
                "An experiment file starts with the line `# @package _global_`." if package else "Correct the file.",
            )


def translated(error: BaseException, command: str) -> UserError:
    """Turn Hydra's and OmegaConf's errors into ours."""
    text, every = str(error), f"`intdim {command} --cfg job` shows every key."
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.lstrip("+").partition("=")
        return UserError(
            f"{key}={echo(value)} cannot be read ({echo(_said(text)[0])})",
            "a value; special characters stand in quotes, and those in the shell's quotes",
            f"If it is text: {pasted(key, value)}",
        )
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        place = f"{error.problem_mark.name}, line {error.problem_mark.line + 1}"
        return UserError(f"{place}: {error.problem}", "a YAML file", "Correct the file.")
    if missing := re.search(r"Could not find '(.+)/([^'/]*)'", text):
        group, name = missing.groups()
        first, _, rest = group.partition("/")
        if first in GROUPS and rest:  # owner/name in the place of a name
            group, name = first, f"{rest}/{name}"
        listed = re.findall(r"^\t(\S+)$", text, re.MULTILINE) or choices(group)
        return UserError(f"unknown {group} '{echo(name)}'", suggest(name, listed), own(group))
    if "Ambiguous value" in text:
        return UserError(_said(text)[0], "one value, or a grid", "Add -m for a grid, or quote a value with commas.")
    if named := re.search(r"Could not override '([^']+)'", text):
        known = known_keys(command)
        return UserError(f"'{echo(named.group(1))}' cannot be set like this", near(named.group(1), known), every)
    said = _said(text) or [type(error).__name__]
    return UserError(said[0], " ".join(said[1:2]), every)


def _said(text: str) -> list[str]:
    """Return the lines of a message that say something here: no advice to write ``+``, no headings, no pointers."""
    empty = re.compile(r" use \+|:$|^[\^ ]*$|^See http|^provider=")
    return [line.strip() for line in text.splitlines() if not empty.search(line.strip())]


@contextlib.contextmanager
def _scratch(overrides: list[str]) -> Iterator[None]:
    """Give Hydra a folder for its multirun.yaml: a temporary one, or, where a launcher sends cells elsewhere and keeps
    its files there, one next to the results."""
    if any(override.startswith("hydra/launcher=") for override in overrides):
        typed = [override.partition("=")[2] for override in overrides if override.startswith("out=")]
        folder = Path((typed or ["outputs"])[-1].strip("'\"")).expanduser().absolute() / "launcher"
        with _environment("INTDIM_HYDRA_FOLDER", str(folder)):
            yield
        return
    with (
        tempfile.TemporaryDirectory(prefix="intdim-hydra-") as folder,
        _environment("INTDIM_HYDRA_FOLDER", folder),
    ):
        yield


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


@contextlib.contextmanager
def _program(name: str, arguments: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = [name, *arguments]
    try:
        yield
    finally:
        sys.argv = before
