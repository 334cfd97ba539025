"""``intdim export RUN [--full]``: a finished run as a file of a few kB, or as a whole model."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.overrides import with_run
from intdim.config import Checked
from intdim.errors import UserError
from intdim.ledger.finished import find_run


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
        if levels > 1 << 12:
            check.fault(f"levels={levels}", f"levels is at most {1 << 12}")
        if to and not to.endswith(".safetensors"):
            check.fault(f"to={to}", "to is a file name that ends in .safetensors")
        check.done()
        run = find_run(named, out)
        from intdim.artifacts.export import export  # brings torch

        try:
            facts = export(run, Path(to) if to else None, full, levels)
        except (PermissionError, FileNotFoundError, NotADirectoryError, FileExistsError) as error:
            raise UserError(
                f"{to or error.filename} cannot be written ({error.strerror})",
                "a file in a folder you may write to",
                "Choose to=.",
            ) from None
        print(
            f"run {facts['run_id']}: d={facts['d']:,} of D={facts['D']:,}; its weights: {facts['base_bytes']:,} bytes"
        )
        print(f"exact  {facts['artifact_bytes']:,} bytes  {facts['artifact']}")
        print(
            f"coded  {facts['coded_bytes']:,} bytes  {facts['coded']}\n"
            f"       the message alone {-(-facts['message_bits'] // 8):,} bytes: {facts['levels']} levels, "
            f"z changed by {100 * facts['z_error']:.2g} %"
        )
        if facts["folder"]:
            print(f"whole  {facts['folder']}")
        print("Both files were read again and rebuild their weights bit for bit: intdim.load(path)")
    return 0
