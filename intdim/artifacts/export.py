"""``intdim export``: a finished run as an artifact, exact and coded, and on request as a Hugging Face folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from intdim import durable
from intdim.artifacts import artifact
from intdim.artifacts.artifact import Recipe
from intdim.coding import Message, encode, fit
from intdim.coding.message import Block
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.files import load_tokenizer, quiet
from intdim.models.locate import Located, locate
from intdim.run.checkpoint import load_tensors
from intdim.spec import RunSpec

SCALE_LEVELS = 9  # of SAID's scales in the coded form


def export(run: FinishedRun, to: Path | None, full: bool, levels: int) -> dict[str, Any]:
    """Write a run's artifact, its coded form, and on request the whole model; see that each rebuilds.

    Args:
        run: the run.
        to: the artifact's path, ending in .safetensors; None: <out>/exports/<run_id>.safetensors.
        full: also write a Hugging Face folder, beside the artifact and named like it.
        levels: of the coded form's codebook, at least 2.

    Returns:
        ``artifact``, ``coded`` and ``folder`` (paths), their ``bytes``, ``message_bits``, and ``z_error``: the norm of
        what quantisation changed over the norm of z.

    Raises:
        UserError: the run's model cannot be found or is another one, its z is damaged, or ``to`` is in the way.
    """
    target = to or run.out / "exports" / f"{run.spec.run_id}.safetensors"
    if target.suffix != ".safetensors" or target.is_dir():
        raise UserError(f"to={target} is no file name for an artifact", "a name that ends in .safetensors", "")
    folder = target.with_suffix("")
    if full:
        _check_folder(folder, run.spec.run_id)
    base = base_of(run)
    recipe, state = recipe_for(run.spec, base), state_of(run)
    facts, model = describe(recipe, base, state, run)
    artifact.write(target, "exact", facts, state)
    rebuilt = rebuild(target, base)
    assert artifact.hash_of(rebuilt) == facts["theta"]

    message = quantised(run.spec, state, levels)
    coded = target.with_suffix(".coded.safetensors")
    bits = write_coded(coded, message, recipe.model, base, run)
    rebuild(coded, base)
    moved = torch.from_numpy(message.z.values) - state["z"]
    result: dict[str, Any] = {
        "run_id": run.spec.run_id,
        "d": recipe.d,
        "D": facts["D"],
        "artifact": str(target),
        "artifact_bytes": target.stat().st_size,
        "coded": str(coded),
        "coded_bytes": coded.stat().st_size,
        "message_bits": bits,
        "levels": len(message.z.book.multiples),
        "z_error": float(moved.norm() / max(float(state["z"].norm()), 1e-30)),
        "base_bytes": 4 * sum(weight.numel() for weight in model.parameters()),
        "folder": "",
    }
    if full:
        write_folder(folder, model, base, run)
        result["folder"] = str(folder)
    return result


def base_of(run: FinishedRun) -> Located:
    """Return the folder of a run's pre-trained model: where it was when the run was made, or found anew.

    Raises:
        UserError: it is nowhere, or holds something else now.
    """
    model, folder = run.spec.model, Path(run.runtime.model_folder)
    if model.source == "hub":
        return (
            Located(folder, model.fingerprint) if folder.is_dir() else locate("hub", model.reference, model.fingerprint)
        )
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


def recipe_for(spec: RunSpec, base: Located) -> Recipe:
    """Return how a run's model is rebuilt."""
    pad = load_tokenizer(base.folder, spec.model.trust_remote_code).pad_token_id
    return Recipe(spec.model, spec.subspace, spec.d, spec.seed, spec.task.classes, int(pad))  # pyright: ignore


def state_of(run: FinishedRun) -> dict[str, Tensor]:
    """Return z and the scales of a run; raises ``UserError`` if the file is damaged or belongs to another run."""
    try:
        state, _ = load_tensors(run.z_file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{run.z_file} is damaged ({error})", "a whole file", "Make the run again.") from None
    names = {"z", "scales"} if run.spec.subspace.method == "said" else {"z"}
    count = sum(tensor.numel() for tensor in state.values())
    if set(state) != names or count != run.spec.d or not all(bool(one.isfinite().all()) for one in state.values()):
        raise UserError(
            f"{run.z_file} holds {', '.join(sorted(state))} with {count} numbers",
            f"{' and '.join(sorted(names))} with {run.spec.d} finite numbers",
            "Make the run again.",
        )
    return {name: tensor.float() for name, tensor in state.items()}


def quantised(spec: RunSpec, state: dict[str, Tensor], levels: int) -> Message:
    """Return a run's message with ``levels`` evenly spaced levels."""
    book, chosen = fit(state["z"].numpy(), levels, "uniform")
    z, scales = Block(book, tuple(chosen.tolist())), None
    if "scales" in state:
        book, chosen = fit(state["scales"].numpy() - 1.0, SCALE_LEVELS, "uniform")
        scales = Block(book, tuple(chosen.tolist()))
    return message_of(spec, z, scales)


def message_of(spec: RunSpec, z: Block, scales: Block | None) -> Message:
    """Return the message of a run's quantised numbers; groups of weights mean nothing without scales."""
    where = spec.subspace
    groups = where.groups if where.method == "said" else "layer"
    return Message(where.method, where.projection, where.scope, groups, where.exclude, spec.d, spec.seed, z, scales)


def describe(
    recipe: Recipe, base: Located, state: dict[str, Tensor], run: FinishedRun
) -> tuple[dict[str, Any], nn.Module]:
    """Return (the facts of an artifact's header, the model they describe, with weights of its own)."""
    with artifact.preserved_randomness():
        model = artifact.theta_0(recipe, base.folder)
    before = artifact.hash_of(model)
    subspace = artifact.make_subspace(model, recipe)
    subspace.load_state_dict(state)
    subspace.write()
    artifact.release(model)
    facts = artifact.facts_of(recipe, model, subspace.theta, before)
    return facts | _origin(run), model.eval()


def _origin(run: FinishedRun) -> dict[str, Any]:
    task, names = run.spec.task, ("train_score", "select_score", "eval_score")
    return {
        "run_id": run.spec.run_id,
        "task": task.name,
        "label_names": list(task.label_names),
        "metric": task.metric,
        "scores": {name: run.result.get(name) for name in names},
    }


def write_coded(path: Path, message: Message, model: Any, base: Located, run: FinishedRun) -> int:
    """Write the artifact of a message; return the message's length in bits."""
    data, bits, _ = encode(message)
    tensors = {"message": torch.frombuffer(bytearray(data), dtype=torch.uint8)}
    recipe = recipe_for(run.spec, base)
    state = {"z": torch.from_numpy(message.z.values)}
    if message.scales is not None:
        state["scales"] = 1.0 + torch.from_numpy(message.scales.values)
    facts, _ = describe(recipe, base, state, run)
    facts["scores"] = {}  # the run's are those of the model before quantisation
    artifact.write(path, "coded", facts | {"message_bits": bits}, tensors)
    return bits


def rebuild(path: Path, base: Located) -> nn.Module:
    """Return the model that ``intdim.load`` makes of a file."""
    header, tensors = artifact.read(path)
    return artifact.assemble(header, tensors, base, exact=True)[0]


# -- the whole model -------------------------------------------------------------------------------------------------

MARK = "intdim.json"  # says that a folder is ours to replace


def _check_folder(folder: Path, run_id: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file", "a folder, or a new name", "Choose another to=.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UserError(
            f"{folder} holds files that are not ours", f"a new folder for run {run_id}", "Choose another to=."
        )


def write_folder(folder: Path, model: nn.Module, base: Located, run: FinishedRun) -> None:
    """Write model, configuration with the names of the classes, and tokenizer; the folder appears whole."""
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
