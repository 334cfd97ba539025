"""Where our configuration files are."""

from __future__ import annotations

from pathlib import Path


def conf_folder() -> Path:
    """Return the folder of our configuration files: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
