"""The folders in which Hydra looks for configuration files, and what it lists of ours."""

from __future__ import annotations

import os
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from intdim.cli.overrides import BASE, conf_folder


class OwnFolder(FileConfigSource):
    """A folder whose lists (``--help``, tab completion, errors, ``glob``) leave out the common file of a group."""

    @staticmethod
    def scheme() -> str:
        return "intdim"

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


def register() -> None:
    """Tell Hydra of both."""
    for plugin in (OwnFolder, SearchPath):
        Plugins.instance().register(plugin)
