"""``intdim report``: tables, plots and one HTML page from what out holds."""

from __future__ import annotations

import sys

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.config import Checked


def main(arguments: list[str]) -> int:
    """Compose the configuration and write the report; return the exit status."""
    return cells("report", arguments, write)


def write(made: list[DictConfig]) -> int:
    """Write the report and print where its files are."""
    from intdim.report import report

    def tell(line: str) -> None:
        print(line, file=sys.stderr)

    for cfg in made:
        check = Checked(cfg)
        out, chosen = check.out(), list(check.texts("sweeps"))
        check.done()
        folder = report(out, check.text("name") or "latest", chosen or None, tell)
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                print(file)
    return 0
