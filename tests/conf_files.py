"""The files of a config group, read without Hydra: what a file says, over what its group has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from intdim.cli.overrides import BASE


def names(folder: Path) -> list[Path]:
    """Return the files of a group that can be chosen."""
    return sorted(file for file in folder.glob("*.yaml") if file.stem != BASE)


def said(file: Path) -> dict[str, Any]:
    """Return what a file itself says; a file that also chooses a preset of another group has it under its group."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content = {key: value for key, value in content.items() if key != "defaults"}
    return content.get(file.parent.name, content)


def whole(file: Path) -> dict[str, Any]:
    """Return what a file means."""
    base = file.with_name(f"{BASE}.yaml")
    return (said(base) if base.exists() else {}) | said(file)
