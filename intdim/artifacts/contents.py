"""A finished run as the content of an artifact: its recipe, its numbers, its message, and the header they need."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from intdim.artifacts import file
from intdim.artifacts.header import Header, Recipe
from intdim.artifacts.rebuild import hash_of, move, state_of, theta_0
from intdim.coding import Message, encode, fit
from intdim.coding.message import Block
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.files import load_tokenizer
from intdim.models.locate import Located
from intdim.run.checkpoint import load_tensors
from intdim.run.objective import find_objective
from intdim.spec import RunSpec, stream_version


def recipe_for(spec: RunSpec, base: Located) -> Recipe:
    """Return how a run's model is rebuilt."""
    head = find_objective(spec.task.objective).head(spec.task.label_names)
    pad = load_tokenizer(base.folder, spec.model.trust_remote_code).pad_token_id
    assert isinstance(pad, int)
    return Recipe(spec.model, spec.subspace, spec.d, spec.seed, head, pad)


def read_state(run: FinishedRun) -> dict[str, Tensor]:
    """Return z and, for SAID, the scales of a run, as float32.

    Raises:
        UserError: the file is damaged or belongs to another run.
    """
    try:
        state, _ = load_tensors(run.z_file)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{run.z_file} is damaged ({error})", "a whole file", "Make the run again.") from None

    names = {"z", "scales"} if run.spec.subspace.method == "said" else {"z"}
    count = sum(tensor.numel() for tensor in state.values())
    finite = all(bool(tensor.isfinite().all()) for tensor in state.values())
    if set(state) != names or count != run.spec.d or not finite:
        raise UserError(
            f"{run.z_file} holds {', '.join(sorted(state))} with {count} numbers",
            f"{' and '.join(sorted(names))} with {run.spec.d} finite numbers",
            "Make the run again.",
        )
    return {name: tensor.float() for name, tensor in state.items()}


def describe(
    run: FinishedRun, base: Located, state: dict[str, Tensor], message_bits: int | None = None
) -> tuple[Header, nn.Module]:
    """Return (the header of an artifact, the model it describes, with weights of its own, in evaluation mode).

    Args:
        run: the run it is made from.
        base: where its pre-trained model is.
        state: the numbers that move theta_0: the run's own, or those that a message says.
        message_bits: length of that message; None for the run's own numbers.
    """
    spec, result = run.spec, run.result
    recipe = recipe_for(spec, base)
    model = theta_0(recipe, base.folder)
    before = hash_of(model)
    theta = move(model, recipe, state)

    coded = message_bits is not None
    scores = {"train_score": result.train_score, "select_score": result.select_score, "eval_score": result.eval_score}
    header = Header(
        kind="coded" if coded else "exact",
        base=recipe.model,
        subspace=recipe.subspace,
        D=theta.numel(),
        d=recipe.d,
        seed=recipe.seed,
        objective=spec.task.objective,
        outputs=recipe.head.outputs,
        label_names=spec.task.label_names,
        pad_token_id=recipe.pad_token_id,
        theta_0=before,
        theta=hash_of(model),
        theta_norm=float(theta.double().norm()),
        run_id=spec.run_id,
        task=spec.task.name,
        metric=spec.task.metric,
        scores={} if coded else scores,  # the run's are those of the model before quantisation
        message_bits=message_bits,
        stream_version=stream_version(recipe.subspace.projection),
    )
    return header, model.eval()


def quantised(values: Tensor, levels: int) -> Block:
    """Return numbers (N,) at the nearest of ``levels`` evenly spaced levels."""
    book, chosen = fit(values.numpy(), levels, "uniform")
    return Block(book, tuple(chosen.tolist()))


def quantised_scales(state: dict[str, Tensor], levels: int) -> Block | None:
    """Return the scales of SAID less one at the nearest of ``levels`` evenly spaced levels, None without scales."""
    return quantised(state["scales"] - 1.0, levels) if "scales" in state else None


def message_of(spec: RunSpec, z: Block, scales: Block | None) -> Message:
    """Return the message of a run's quantised numbers; groups of weights mean nothing without scales."""
    where = spec.subspace
    groups = where.groups if where.method == "said" else "layer"
    return Message(where.method, where.projection, where.scope, groups, where.exclude, spec.d, spec.seed, z, scales)


def write_coded(path: Path, message: Message, base: Located, run: FinishedRun) -> int:
    """Write the artifact of a run's message; return the message's length in bits."""
    data, bits, _ = encode(message)
    header, _ = describe(run, base, state_of(message), message_bits=bits)
    file.write(path, header, {"message": torch.frombuffer(bytearray(data), dtype=torch.uint8)})
    return bits
