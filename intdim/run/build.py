"""The one builder of a model and what is trainable in it: all weights, or the coordinates of a subspace."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from intdim.kernels.rounding import Rounding
from intdim.models.buffers import Still, may_move
from intdim.models.load import Head, load_model
from intdim.request import ModelRequest
from intdim.run.objective import find_objective
from intdim.run.precision import convert_others, is_in_bf16, rounding_of, weight_dtype
from intdim.run.seeding import seed_world
from intdim.run.trainable import FullTrainable, SubspaceTrainable, Trainable
from intdim.spec import ModelSpec, RunSpec, Runtime, SubspaceSpec, derive_seed
from intdim.subspace import Subspace
from intdim.tasks import batches
from intdim.tasks.stored import TaskData

LOG = logging.getLogger(__name__)
MOST = 0.5  # share of bf16 numbers from which a checkpoint was stored in bf16; its new head is not
TRIED = 4  # examples by which it is found out what training would move beside the weights


@dataclass(frozen=True)
class Built:
    """A model on its device, what is trained in it, the data as this model takes it, and its buffers, held still."""

    model: nn.Module
    trainable: Trainable
    data: TaskData
    still: Still


def head_seed(run_seed: int) -> int:
    """Return the seed that a run draws its head from."""
    return derive_seed(run_seed, "head")


def theta_0(
    model: ModelSpec | ModelRequest,
    folder: Path,
    head: Head,
    *,
    head_seed: int,
    pad_token_id: int,
    gradient_checkpointing: bool | None = None,
) -> nn.Module:
    """Return the model before training, in float32 on the CPU. Draws from the global generators.

    Where the checkpoint is in bf16, what it lacks (the head, say) is rounded to bf16 too, so that all of theta_0 is.

    Args:
        model: which weights, and how they are read.
        folder: where its files are.
        head: what the objective needs.
        head_seed: the head, and a pooler that the checkpoint lacks, are drawn from it.
        pad_token_id: of the tokenizer.
        gradient_checkpointing: None: as ``model`` says.

    Raises:
        UserError: the folder is damaged, or does not fit the model's overrides.
    """
    checkpointing = model.gradient_checkpointing if gradient_checkpointing is None else gradient_checkpointing
    made = load_model(
        folder,
        head=head,
        overrides=model.overrides,
        random_init=model.random_init,
        trust_remote_code=model.trust_remote_code,
        gradient_checkpointing=checkpointing,
        seed_world=seed_world,
        init_seed=model.init_seed,
        head_seed=head_seed,
        pad_token_id=pad_token_id,
    )
    weights = [weight.detach() for weight in made.parameters() if weight.is_floating_point()]
    if is_in_bf16(weights, MOST):
        for weight in weights:
            weight.copy_(weight.to(torch.bfloat16))
    return made


def make_subspace(
    model: nn.Module,
    where: SubspaceSpec,
    d: int,
    seed: int,
    dtype: torch.dtype = torch.float32,
    rounding: Rounding | None = None,
) -> Subspace:
    """Return a run's subspace through the model's present weights; ``seed`` is the run's own.

    ``dtype`` is that of the weights. If it is bf16, those outside the subspace are converted too, and theta_0 is kept
    in bf16 where that loses nothing.

    Raises:
        UserError: a name is unknown, or d does not fit the model.
    """
    inside = [weight.detach() for weight in model.parameters() if weight.is_floating_point()]
    base = dtype if dtype == torch.bfloat16 and is_in_bf16(inside, 1.0) else torch.float32
    subspace = Subspace(
        model,
        d=d,
        projection=where.projection,
        method=where.method,
        scope=where.scope,
        groups=where.groups,
        seed=derive_seed(seed, "projection"),
        exclude=where.exclude,
        rounding=rounding,
        dtype=dtype,
        base_dtype=base,
    )
    convert_others(model, dtype)
    return subspace


def make_trainable(model: nn.Module, spec: RunSpec) -> Trainable:
    """Return what a run trains in a model that is on its device."""
    if spec.subspace.method == "full":
        return FullTrainable(model, spec.subspace.exclude)
    dtype, rounding = weight_dtype(spec), rounding_of(spec)
    return SubspaceTrainable(make_subspace(model, spec.subspace, spec.d, spec.seed, dtype, rounding))


def build(spec: RunSpec, runtime: Runtime, data: TaskData) -> Built:
    """Return the model of a run on its device, what is trained in it, and the data as it takes it; head and body are
    drawn from the run's seeds."""
    model = theta_0(
        spec.model,
        Path(runtime.model_folder),
        find_objective(spec.task.objective).head(spec.task.label_names),
        head_seed=head_seed(spec.seed),
        pad_token_id=data.pad_id,
    ).to(runtime.device)
    fitted = fitting(data, model)
    return Built(model, make_trainable(model, spec), fitted, held_still(model, fitted))


def held_still(model: nn.Module, data: TaskData) -> Still:
    """Return a model's buffers, held still in training.

    Args:
        model: on its device.
        data: as ``fitting`` leaves it.

    Raises:
        UserError: a buffer moves in evaluation mode too.
    """
    still = Still(model)
    if not may_move(model):
        return still
    device = next(model.parameters()).device
    rows = torch.arange(TRIED) % len(data.train.labels)
    inputs = batches.collate(data.train, rows, data.pad_id, device)
    inputs.pop("labels")
    still.find(inputs)
    return still


def fitting(data: TaskData, model: nn.Module) -> TaskData:
    """Leave out segment numbers for a model that takes none, or that has no embedding for some of them: the tokenizer
    is then another model's, and transformers' own tokenizer for this one makes none."""
    numbered = [split.types for split in (data.train, data.evaluation) if split.types is not None]
    if not numbered:
        return data
    if "token_type_ids" not in inspect.signature(model.forward).parameters:
        return data.without_types()

    known, highest = segments(model), max(int(types.max()) for types in numbered)
    if 0 < known <= highest:
        LOG.warning(
            "the tokenizer numbers segments 0 to %s, the model knows %s: segment numbers are left out", highest, known
        )
        return data.without_types()
    if 0 < known <= data.train.pad_type:  # padding is masked, so any number does that has an embedding
        train, evaluation = (dataclasses.replace(split, pad_type=0) for split in (data.train, data.evaluation))
        return dataclasses.replace(data, train=train, evaluation=evaluation)
    return data


def segments(model: nn.Module) -> int:
    """Return how many segments a model has embeddings for, 0 where it has no table of them."""
    for name, module in model.named_modules():
        if name.endswith("token_type_embeddings") and isinstance(module, nn.Embedding):
            return module.num_embeddings
    said = getattr(model.config, "type_vocab_size", 0)
    return said if isinstance(said, int) else 0
