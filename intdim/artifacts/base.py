"""The base: where the pre-trained model of an artifact, or of a finished run, is found again."""

from __future__ import annotations

from pathlib import Path

from intdim.artifacts.header import Header, versions_text
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.locate import Located, locate
from intdim.run.machine import versions


def find_base(header: Header, base: str | Path | None) -> Located:
    """Return the folder of an artifact's pre-trained model.

    Args:
        header: of the artifact.
        base: a folder, a built-in name or a hub id; None: what the header names.

    Raises:
        UserError: the model cannot be had, or the header alone does not say where it is.
    """
    spec = header.base
    if base is not None and Path(base).expanduser().is_dir():
        return locate("local", "", path=str(base))

    name = str(base) if base is not None else spec.reference
    if base is None and spec.source == "local":
        raise UserError(
            f"the run started from a local folder ({spec.name}, content {spec.fingerprint})",
            "the folder of that model",
            "Give base=DIR.",
        )
    if spec.source == "builtin" and name == spec.reference:
        return locate("builtin", name)
    if "/" in name and Path(name).expanduser().is_absolute():
        raise UserError(f"base={name} is not a folder", "a folder in Hugging Face's format, or a hub id", "Check it.")

    same = spec.source == "hub" and name == spec.reference
    return locate("hub", name, revision=spec.fingerprint if same else "main")


def base_of(run: FinishedRun) -> Located:
    """Return the folder of a run's pre-trained model: where it was when the run was made, or found anew.

    Raises:
        UserError: it is nowhere, or holds something else now.
    """
    model, folder = run.spec.model, Path(run.runtime.model_folder)
    if model.source == "hub":
        there = folder.is_dir()
        return Located(folder, model.fingerprint) if there else locate("hub", model.reference, model.fingerprint)

    path = "" if model.source == "builtin" else str(folder)
    found = locate(model.source, model.reference, path=path)
    if found.fingerprint != model.fingerprint:
        raise UserError(
            f"{found.folder} has changed since run {run.spec.run_id} was made: "
            f"its content is {found.fingerprint}, it was {model.fingerprint}",
            "the model the run started from",
            "Restore it, or make the run again.",
        )
    return found


def another_base(header: Header, base: Located) -> UserError:
    """Return what is said about a base from which another theta_0 was made than the header's."""
    spec = header.base
    if base.fingerprint == spec.fingerprint:
        return UserError(
            "theta_0 is not the one the run started from, although its files are: "
            f"made with {versions_text(header.versions)}, here is {versions_text(versions())}",
            "versions that draw the same head and read the same weights",
            "Install those versions.",
        )

    wanted = f"{spec.reference or spec.name}" + (f" at revision {spec.revision}" if spec.revision else "")
    return UserError(
        f"the base in {base.folder} is not the model the run started from: its theta_0 has another hash",
        f"{wanted}, content {spec.fingerprint} (this is {base.fingerprint})",
        "Give that model as base=.",
    )
