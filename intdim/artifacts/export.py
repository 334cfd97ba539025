"""``intdim export``: a finished run as an artifact, exact and coded, and on request as a Hugging Face folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from intdim.artifacts import file
from intdim.artifacts.answers import Comparison, compare, data_of
from intdim.artifacts.base import base_of
from intdim.artifacts.contents import describe, message_of, quantised, quantised_scales, read_state, write_coded
from intdim.artifacts.header import Header
from intdim.artifacts.rebuild import hash_of, rebuild, state_of
from intdim.artifacts.whole import check_folder, fine_tuned, write_folder
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.locate import Located

SCALE_LEVELS = 9  # of SAID's scales in the coded form


@dataclass(frozen=True)
class ExportSummary:
    """What an export wrote.

    Attributes:
        run_id: the run.
        d: its trained numbers.
        D: weights that they move.
        base_bytes: size of the model's weights as float32.
        comparison: of the model's answers with those that the run recorded.
        folder: the whole model as a Hugging Face folder; None where it was not asked for.
        remark: what a user of the folder should know.
        artifact: the exact artifact; None for a run of full fine-tuning, which has no z.
        artifact_bytes: its size.
        coded: the coded artifact.
        coded_bytes: its size.
        message_bits: length of the message in it.
        levels: of the codebook of z.
        z_error: norm of what quantisation changed, over the norm of z.
    """

    run_id: str
    d: int
    D: int
    base_bytes: int
    comparison: Comparison
    folder: Path | None
    remark: str
    artifact: Path | None = None
    artifact_bytes: int = 0
    coded: Path | None = None
    coded_bytes: int = 0
    message_bits: int = 0
    levels: int = 0
    z_error: float = 0.0


def export(run: FinishedRun, to: Path | None, full: bool, levels: int) -> ExportSummary:
    """Write a run's artifact, its coded form, and on request the whole model; see that each rebuilds.

    Args:
        run: the run.
        to: the artifact's path, ending in .safetensors; None: <out>/exports/<run_id>.safetensors.
        full: also write a Hugging Face folder, beside the artifact and named like it; of a run of full fine-tuning
            that folder is all there is to write.
        levels: of the coded form's codebook, at least 2.

    Raises:
        UserError: the run's model cannot be found or is another one, its numbers are damaged, ``to`` is in the way, or
            the rebuilt model does not give the answers that the run recorded.
    """
    target = to or run.out / "exports" / f"{run.spec.run_id}.safetensors"
    if target.suffix != ".safetensors" or target.is_dir():
        raise UserError(f"to={target} is not a file name for an artifact", "a name that ends in .safetensors", "")
    inside = run.spec.subspace.method != "full"
    if not inside and not full:
        raise UserError(
            f"run {run.spec.run_id} trained all weights (subspace=full): there is no z to write down",
            "--full, which writes the whole model",
            f"intdim export {run.spec.run_id} --full",
        )
    folder = target.with_suffix("")
    if full:
        check_folder(folder, run.spec.run_id)

    base, data = base_of(run), data_of(run)
    written: dict[str, Any] = {}
    if inside:
        state = read_state(run)
        header, model = describe(run, base, state)
        comparison = compare(model, run, data)
        written = _write_artifacts(target, run, base, header, state, levels)
    else:
        model = fine_tuned(run, base)
        comparison = compare(model, run, data)

    return ExportSummary(
        run_id=run.spec.run_id,
        d=run.result.d,
        D=run.result.D,
        base_bytes=4 * sum(weight.numel() for weight in model.parameters()),
        comparison=comparison,
        folder=folder if full else None,
        remark=write_folder(folder, model, base, run, data) if full else "",
        **written,
    )


def _write_artifacts(
    target: Path, run: FinishedRun, base: Located, header: Header, state: dict[str, Tensor], levels: int
) -> dict[str, Any]:
    """Write the exact and the coded artifact and see that both rebuild; return the fields of the summary."""
    file.write(target, header, state)
    assert hash_of(rebuild(target, base)) == header.theta

    message = message_of(run.spec, quantised(state["z"], levels), quantised_scales(state, SCALE_LEVELS))
    coded = target.with_suffix(".coded.safetensors")
    bits = write_coded(coded, message, base, run)
    rebuild(coded, base)

    error = state_of(message)["z"] - state["z"]
    return {
        "artifact": target,
        "artifact_bytes": target.stat().st_size,
        "coded": coded,
        "coded_bytes": coded.stat().st_size,
        "message_bits": bits,
        "levels": len(message.z.book.multiples),
        "z_error": float(error.norm() / max(float(state["z"].norm()), 1e-30)),
    }
