"""The last look at a composed configuration before Hydra acts on it: it calls nothing but installed plugins.

Files and what is typed are checked where they are read; this sees what they became together, interpolations included.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigNode, ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from intdim.cli.config_files import CALLABLE, PLUGINS, callables
from intdim.errors import UserError, echo

EMPTY = ("callbacks", "searchpath", "job.env_set", "job.env_copy")  # of Hydra: they would call, read or steer
LOGGERS = ("job_logging", "hydra_logging")
CLASSES = ("logging.StreamHandler", "logging.FileHandler", "colorlog.ColoredFormatter", "logging.Formatter")


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Check every configuration that Hydra composes within the block."""
    original = ConfigLoaderImpl.load_configuration

    def load(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> DictConfig:
        cfg = original(self, *arguments, **named)
        check(cfg)
        return cfg

    ConfigLoaderImpl.load_configuration = load
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration = original


def check(cfg: DictConfig) -> None:
    """Raise ``UserError`` for a configuration that names something to be called, or steers what is."""
    for key in EMPTY:
        if OmegaConf.select(cfg.hydra, key):
            raise UserError(f"hydra.{key} is set", "no value", "Take it out of the configuration files.")
    for key in LOGGERS:
        word = _odd_logger(_plain(cfg.hydra[key]))
        if word:
            raise UserError(f"hydra.{key} names {echo(word)}", "Hydra's own loggers", "Take it out.")

    for plugin in PLUGINS:
        for key, value in _targets(_plain(cfg.hydra[plugin])):
            if key and value not in _installed():
                raise _named(f"hydra.{plugin}.{key}")
    rest = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(rest, dict)
    for key in callables({name: value for name, value in rest.items() if name != "hydra"}):
        raise _named(key)


def _named(key: str) -> UserError:
    return UserError(
        f"{echo(key)} names a callable",
        "values; `hydra/launcher=NAME` chooses a launcher that is installed",
        "Take it out.",
    )


def _plain(cfg: Any) -> Any:
    """Return a part of Hydra's configuration with what its interpolations say, as far as that is known by now."""
    if not OmegaConf.is_config(cfg):
        return cfg
    try:
        return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False)
    except OmegaConfBaseException:
        return {name: _plain(_value(cfg, name)) for name in cfg} if isinstance(cfg, DictConfig) else None


def _value(cfg: DictConfig, name: Any) -> Any:
    try:
        return cfg[name]
    except OmegaConfBaseException:  # a number of a job, which has none yet
        return None


def _targets(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted name of the table, what it would call) of each table; the name of the outermost is empty."""
    if isinstance(content, dict):
        if CALLABLE in content:
            yield place, content[CALLABLE]
        for key, value in content.items():
            yield from _targets(value, f"{place}.{key}" if place else str(key))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from _targets(value, f"{place}[{number}]")


def _installed() -> set[Any]:
    """Return what the configuration of installed plugins calls."""
    found: set[Any] = set()

    def walk(node: Any) -> None:
        if isinstance(node, ConfigNode):
            found.update(value for _, value in _targets(OmegaConf.to_container(node.node, resolve=False)))
        elif isinstance(node, dict):
            for inner in node.values():
                walk(inner)

    walk(ConfigStore.instance().repo)
    return found


def _odd_logger(content: Any) -> str:
    """Return the first word in a configuration of ``logging`` that is not Hydra's own, "" where there is none."""
    if isinstance(content, list):
        return next((word for value in content if (word := _odd_logger(value))), "")
    if not isinstance(content, dict):
        text = str(content)
        outside = text.startswith(("ext://", "cfg://")) and text not in ("ext://sys.stdout", "ext://sys.stderr")
        return text if outside else ""
    for key, value in content.items():
        if key in ("()", "class", CALLABLE) and value not in CLASSES:
            return str(value)
        if word := _odd_logger(value):
            return word
    return ""
