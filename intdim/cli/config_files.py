"""Configuration files of a user's own: plain, of bearable size, and without a say in what is called.

Hydra instantiates whatever a file names under ``_target_`` and writes the environment for it; a file that came with a
data set or from a colleague must not be able to. The plugins for ``hydra/launcher`` and ``hydra/sweeper`` are installed
packages and bring their own configuration, which is not read here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intdim import durable
from intdim.errors import UserError, echo

LARGEST = 1 << 18  # bytes of a file
MOST_NODES = 20_000  # values of a file, each alias counted as all that it stands for
DEEPEST = 40  # tables within tables
CALLABLE = "_target_"
PLUGINS = ("launcher", "sweeper")  # of Hydra, that take parameters
SETTINGS = ("verbose", "mode", "output_subdir", "run.dir", "sweep.dir", "sweep.subdir", "job.name", "job.chdir")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HEADER = re.compile(r"^#\s*@package\s+(\S+)", re.MULTILINE)


class CheckedFolder(FileConfigSource):
    """A folder of configuration files that are checked before they are read."""

    def load_config(self, config_path: str) -> ConfigResult:
        file = inside(self.path, self._normalize_file_name(config_path))
        if not file.is_file():
            return super().load_config(config_path)  # which says that it is missing
        group = Path(config_path).parts[:2]
        if group[:1] == ("hydra",) and group[1] not in PLUGINS:
            allowed = "files for hydra/launcher or hydra/sweeper"
            raise UserError(f"{file} would change Hydra itself", allowed, "Remove it.")
        check_file(file)
        return super().load_config(config_path)


# the job of a launcher such as submitit registers Hydra's sources anew, and an unlike name for one of them is an error
CheckedFolder.__name__ = FileConfigSource.__name__


def inside(folder: str, name: str) -> Path:
    """Return the path of a file below a folder.

    Raises:
        UserError: the name leads out of the folder.
    """
    place = os.path.normpath(os.path.join(folder, name))
    if not Path(place).is_relative_to(os.path.normpath(folder)):
        raise UserError(f"'{echo(name)}' leads out of {folder}", "a name below it", "Put the file there.")
    return Path(place)


def read_config(file: Path) -> DictConfig:
    """Return a configuration file of the user's.

    Raises:
        UserError: it is no plain file, too large, no YAML with keys, or names a callable.
    """
    check_file(file)
    try:
        cfg = OmegaConf.load(file)
        return cfg if isinstance(cfg, DictConfig) else DictConfig({})  # without keys it is empty
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:
        said = next(iter(str(error).splitlines()), "")
        raise UserError(f"{file} cannot be read: {echo(said)}", "a YAML file", "Correct the file.") from None


def check_file(file: Path) -> None:
    """Raise ``UserError`` for a file that must not be read; one that is no YAML is left to who reads it."""
    try:
        data = durable.read_bytes(file, LARGEST)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}", "a YAML file", "Correct or remove it.") from None
    text = data.decode("utf-8", errors="replace")
    try:
        fault = size_fault(text)
        content = None if fault else yaml.load(text, LOADER)  # a safe loader
    except (yaml.YAMLError, ValueError):
        return
    if fault:
        raise UserError(f"{file}: {fault}", "a configuration of a few hundred lines", "Correct the file.")
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{file} holds no keys", "lines of `key: value`", "Correct the file.")

    package = HEADER.search(text[:512])
    if package and package[1].partition(".")[0] == "hydra" and not _is_open(package[1].partition(".")[2]):
        raise UserError(f"{file} would set {package[1]}", _allowed(), "Take the line `# @package` out.")
    for key in callables(content):
        raise UserError(
            f"{file}: {echo(key)} names a callable",
            "values; `hydra/launcher=NAME` chooses a launcher that is installed",
            "Take it out of the file.",
        )
    hydra = content.get("hydra") if isinstance(content, dict) else None
    for key in _leaves(hydra) if isinstance(hydra, dict) else ():
        if not _is_open(key):
            raise UserError(f"{file}: hydra.{echo(key)} cannot be set", _allowed(), "Take it out of the file.")


def size_fault(text: str) -> str:
    """Return why a YAML text is too large once its aliases are written out, "" where it is not; expands nothing.

    Raises:
        yaml.YAMLError: it is no YAML.
    """
    sizes: dict[str, int] = {}
    above: list[tuple[str | None, int]] = []  # anchors and sizes of what is open
    size = 0
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            above.append((event.anchor, size))
            size = 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, outer = above.pop()
            sizes |= {anchor: size} if anchor else {}
            size += outer
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                return f"the alias *{echo(event.anchor)} stands inside what it stands for"
            size += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            size += 1
            sizes |= {event.anchor: 1} if event.anchor else {}
        if size > MOST_NODES or len(above) > DEEPEST:
            return f"more than {MOST_NODES:,} values, or tables nested more than {DEEPEST} deep"
    return ""


def callables(content: Any, place: str = "") -> Iterator[str]:
    """Yield the dotted names of all that would be called: keys ``_target_``, and texts that hold the word."""
    if isinstance(content, dict):
        for key, value in content.items():
            name = f"{place}.{key}" if place else str(key)
            if CALLABLE in str(key):
                yield name
            yield from callables(value, name)
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from callables(value, f"{place}[{number}]")
    elif isinstance(content, str) and CALLABLE in content:
        yield place


def hydra_fault(key: str) -> tuple[str, str]:
    """Return (what is wrong with setting a key of Hydra's own, what is allowed), empty where it may be set.

    Args:
        key: behind ``hydra.`` or ``hydra/``, as typed: ``launcher.n_jobs``.
    """
    return ("", "") if _is_open(key.replace("/", ".")) else (f"'hydra.{echo(key)}' cannot be set", _allowed())


def _is_open(key: str) -> bool:
    return key.partition(".")[0] in PLUGINS or key in SETTINGS or key.partition(".")[0] == "help"


def _allowed() -> str:
    return f"hydra/launcher=, hydra/sweeper=, their parameters, and hydra.{', hydra.'.join(SETTINGS)}"


def _leaves(table: dict[Any, Any], prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and not _is_open(name):
            yield from _leaves(value, f"{name}.")
        else:
            yield name
