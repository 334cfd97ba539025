"""The folders in which Hydra looks for configuration files, what it lists of ours, and what it reads of others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.search_path_plugin import SearchPathPlugin

from intdim.cli.config_files import CheckedFolder, inside
from intdim.cli.overrides import BASE, conf_folder


class OwnFolder(FileConfigSource):
    """A folder whose lists (``--help``, tab completion, errors, ``glob``) leave out the common file of a group."""

    @staticmethod
    def scheme() -> str:
        return "intdim"

    def load_config(self, config_path: str) -> ConfigResult:
        inside(self.path, config_path)
        return super().load_config(config_path)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        return [name for name in super().list(config_path, results_filter) if name != BASE]


class SearchPath(SearchPathPlugin):
    """Reads our files as ``OwnFolder``, and puts the folder of INTDIM_CONFIG_PATH before them."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in search_path.get_path():
            if element.provider == "main":
                element.path = f"{OwnFolder.scheme()}://{conf_folder()}"
        mine = os.environ.get("INTDIM_CONFIG_PATH")
        if mine:
            search_path.prepend("intdim-user", f"file://{Path(mine).expanduser().resolve()}", "main")


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """Tell Hydra of both; within the block, it checks every other folder's files before it reads them."""
    for plugin in (OwnFolder, SearchPath):
        Plugins.instance().register(plugin)
    types = SourcesRegistry.instance().types
    scheme = CheckedFolder.scheme()
    before = types[scheme]
    types[scheme] = CheckedFolder
    try:
        yield
    finally:
        types[scheme] = before
