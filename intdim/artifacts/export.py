"""``intdim export``: a finished run as an artifact, exact and coded, and on request as a Hugging Face folder."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from intdim import durable
from intdim.artifacts import file
from intdim.artifacts.base import base_of
from intdim.artifacts.contents import describe, message_of, quantised, quantised_scales, read_state, write_coded
from intdim.artifacts.rebuild import hash_of, rebuild, state_of
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.files import load_tokenizer, quiet
from intdim.models.locate import Located

SCALE_LEVELS = 9  # of SAID's scales in the coded form
MARK = "intdim.json"  # says that a folder is ours to replace


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote.

    Attributes:
        run_id: the run.
        d: its trained numbers.
        D: weights inside its subspace.
        artifact: the exact artifact.
        artifact_bytes: its size.
        coded: the coded artifact.
        coded_bytes: its size.
        message_bits: length of the message in it.
        levels: of the codebook of z.
        z_error: norm of what quantisation changed, over the norm of z.
        base_bytes: size of the model's weights as float32.
        folder: the whole model as a Hugging Face folder; None where it was not asked for.
    """

    run_id: str
    d: int
    D: int
    artifact: Path
    artifact_bytes: int
    coded: Path
    coded_bytes: int
    message_bits: int
    levels: int
    z_error: float
    base_bytes: int
    folder: Path | None


def export(run: FinishedRun, to: Path | None, full: bool, levels: int) -> ExportSummary:
    """Write a run's artifact, its coded form, and on request the whole model; see that each rebuilds.

    Args:
        run: the run.
        to: the artifact's path, ending in .safetensors; None: <out>/exports/<run_id>.safetensors.
        full: also write a Hugging Face folder, beside the artifact and named like it.
        levels: of the coded form's codebook, at least 2.

    Raises:
        UserError: the run's model cannot be found or is another one, its z is damaged, or ``to`` is in the way.
    """
    target = to or run.out / "exports" / f"{run.spec.run_id}.safetensors"
    if target.suffix != ".safetensors" or target.is_dir():
        raise UserError(f"to={target} is not a file name for an artifact", "a name that ends in .safetensors", "")
    folder = target.with_suffix("")
    if full:
        _check_folder(folder, run.spec.run_id)

    base, state = base_of(run), read_state(run)
    header, model = describe(run, base, state)
    file.write(target, header, state)
    assert hash_of(rebuild(target, base)) == header.theta

    message = message_of(run.spec, quantised(state["z"], levels), quantised_scales(state, SCALE_LEVELS))
    coded = target.with_suffix(".coded.safetensors")
    bits = write_coded(coded, message, base, run)
    rebuild(coded, base)

    if full:
        _write_folder(folder, model, base, run)

    error = state_of(message)["z"] - state["z"]
    return ExportSummary(
        run_id=run.spec.run_id,
        d=run.spec.d,
        D=header.D,
        artifact=target,
        artifact_bytes=target.stat().st_size,
        coded=coded,
        coded_bytes=coded.stat().st_size,
        message_bits=bits,
        levels=len(message.z.book.multiples),
        z_error=float(error.norm() / max(float(state["z"].norm()), 1e-30)),
        base_bytes=4 * sum(weight.numel() for weight in model.parameters()),
        folder=folder if full else None,
    )


def _check_folder(folder: Path, run_id: str) -> None:
    """Raise ``UserError`` where a whole model cannot be written without loss of what is there."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file", "a folder, or a new name", "Choose another to=.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UserError(
            f"{folder} holds files that are not ours", f"a new folder for run {run_id}", "Choose another to=."
        )


def _write_folder(folder: Path, model: nn.Module, base: Located, run: FinishedRun) -> None:
    """Write model, configuration with the names of the labels, and tokenizer; the folder appears whole."""
    config: Any = model.config
    names = run.spec.task.label_names
    if names:
        config.id2label = dict(enumerate(names))
        config.label2id = {name: number for number, name in enumerate(names)}

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch) / "made"
        with quiet():
            model.save_pretrained(made)  # pyright: ignore
            load_tokenizer(base.folder, run.spec.model.trust_remote_code).save_pretrained(made)
        durable.write_json(made / MARK, {"run_id": run.spec.run_id, "made_by": "intdim export --full"})
        if folder.exists():
            shutil.rmtree(folder)
        made.replace(folder)
