"""The one builder of a model and what is trainable in it: all weights, or the coordinates of a subspace."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from intdim.models.load import Head, load_model
from intdim.request import ModelRequest
from intdim.run.objective import find_objective
from intdim.run.seeding import seed_world
from intdim.run.trainable import FullTrainable, SubspaceTrainable, Trainable
from intdim.spec import ModelSpec, RunSpec, Runtime, SubspaceSpec, derive_seed
from intdim.subspace import Subspace
from intdim.tasks.stored import TaskData


@dataclass(frozen=True)
class Built:
    """A model on its device, what is trained in it, and the data as this model takes it."""

    model: nn.Module
    trainable: Trainable
    data: TaskData


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
    return load_model(
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


def make_subspace(model: nn.Module, where: SubspaceSpec, d: int, seed: int) -> Subspace:
    """Return a run's subspace through the model's present weights; ``seed`` is the run's own.

    Raises:
        UserError: a name is unknown, or d does not fit the model.
    """
    return Subspace(
        model,
        d=d,
        projection=where.projection,
        method=where.method,
        scope=where.scope,
        groups=where.groups,
        seed=derive_seed(seed, "projection"),
        exclude=where.exclude,
    )


def make_trainable(model: nn.Module, spec: RunSpec) -> Trainable:
    """Return what a run trains in a model that is on its device."""
    if spec.subspace.method == "full":
        return FullTrainable(model, spec.subspace.exclude)
    return SubspaceTrainable(make_subspace(model, spec.subspace, spec.d, spec.seed))


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
    return Built(model, make_trainable(model, spec), fitting(data, model))


def fitting(data: TaskData, model: nn.Module) -> TaskData:
    """Leave out segment numbers for a model whose forward takes none."""
    takes = inspect.signature(model.forward).parameters
    return data if "token_type_ids" in takes else data.without_types()
