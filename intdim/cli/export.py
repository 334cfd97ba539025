"""``intdim export RUN [--full]``: a finished run as a file of a few kB, or as a whole model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.overrides import with_run
from intdim.config import Checked
from intdim.errors import UserError
from intdim.ledger.finished import find_run
from intdim.ledger.store import Ledger

if TYPE_CHECKING:
    from intdim.artifacts.export import ExportSummary

MOST_LEVELS = 1 << 12


def main(arguments: list[str]) -> int:
    """Compose the configuration and write the files; return the exit status."""
    full = ["full=true"] if "--full" in arguments else []
    return cells("export", [*with_run([word for word in arguments if word != "--full"]), *full], write)


def write(made: list[DictConfig]) -> int:
    """Write each run's artifact and say how large it is."""
    for cfg in made:
        check = Checked(cfg)
        levels, full = check.whole("levels", 2), check.switch("full")
        out, to, named = check.path("out"), check.path("to"), check.text("run")
        if not named:
            check.fault("no run is named", "intdim export RUN, with the id of a run under out/runs or its folder")
        if levels > MOST_LEVELS:
            check.fault(f"levels={levels}", f"levels is at most {MOST_LEVELS}")
        if to and not to.endswith(".safetensors"):
            check.fault(f"to={to}", "to is a file name that ends in .safetensors")
        check.done()

        run = find_run(named, out, full=True)
        Ledger(run.out, lambda line: print(line, file=sys.stderr)).check_mark()
        from intdim.artifacts.export import export  # brings torch

        try:
            summary = export(run, Path(to) if to else None, full, levels)
        except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError) as error:
            raise UserError(
                f"{to or error.filename} cannot be written ({error.strerror})",
                "a file in a folder you may write to",
                "Choose to=.",
            ) from None
        print("\n".join(statement(summary)))
    return 0


def statement(made: ExportSummary) -> list[str]:
    """Return what was written, in lines."""
    lines = [f"run {made.run_id}: d={made.d:,} of D={made.D:,}; its weights: {made.base_bytes:,} bytes"]
    if made.artifact:
        lines += [
            f"exact  {made.artifact_bytes:,} bytes  {made.artifact}",
            f"coded  {made.coded_bytes:,} bytes  {made.coded}",
            f"       the message alone {-(-made.message_bits // 8):,} bytes: {made.levels} levels, "
            f"z changed by {100 * made.z_error:.2g} %",
        ]
    if made.folder:
        lines.append(f"whole  {made.folder}")
    if made.remark:
        lines.append(f"       {made.remark}")
    lines.append(f"The rebuilt model {made.comparison.sentence}")
    if made.artifact:
        lines.append("Both files were read again and rebuild their weights bit for bit: intdim.load(path)")
    return lines
