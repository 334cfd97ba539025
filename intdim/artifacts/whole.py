"""A finished run's model as a Hugging Face folder that others load without us."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from intdim import durable
from intdim.artifacts.rebuild import hash_of, preserved_randomness
from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.models.files import load_tokenizer, quiet
from intdim.models.locate import Located
from intdim.models.pooling import searches_for_padding
from intdim.run import build
from intdim.run.checkpoint import load_sealed, misfit
from intdim.run.objective import find_objective
from intdim.seals import Damaged
from intdim.tasks.stored import TaskData

MARK = "intdim.json"  # says that a folder is ours to replace
WEIGHTS = "best.safetensors"  # of a run of full fine-tuning that kept them


def check_folder(folder: Path, run_id: str) -> None:
    """Raise ``UserError`` where a whole model cannot be written without loss of what is there."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file", "a folder, or a new name", "Choose another to=.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UserError(
            f"{folder} holds files that are not ours", f"a new folder for run {run_id}", "Choose another to=."
        )


def fine_tuned(run: FinishedRun, base: Located) -> nn.Module:
    """Return the model of a run of full fine-tuning, with the weights of its best step, in evaluation mode.

    Raises:
        UserError: the run kept none, or they are damaged.
    """
    spec, file = run.spec, run.folder / WEIGHTS
    if not file.is_file():
        raise UserError(
            f"run {spec.run_id} trained all weights and kept none of them (the baselines of a sweep keep none)",
            "a run of `intdim train subspace=full`, which keeps them",
            "Make it with `intdim train subspace=full ... out=NEW`, then export it from there.",
        )
    try:
        stored, _ = load_sealed(file, spec.run_id)
    except Damaged as error:
        raise UserError(error.parts[0], "the weights as the run left them", "Make the run again.") from None

    with preserved_randomness():
        model = build.theta_0(
            spec.model,
            base.folder,
            find_objective(spec.task.objective).head(spec.task.label_names),
            head_seed=build.head_seed(spec.seed),
            pad_token_id=pad_token(run, base),
            gradient_checkpointing=False,
        )
    named: dict[str, Tensor] = {name: weight.detach() for name, weight in model.named_parameters()}
    why = misfit(stored, {name: named[name] for name in stored if name in named})
    if why or not all(bool(tensor.isfinite().all()) for tensor in stored.values()):
        raise UserError(f"{file} does not fit the model: {why or 'it holds NaN'}", "its own weights", "Make it again.")
    with torch.no_grad():
        for name, tensor in stored.items():
            named[name].copy_(tensor)
    return model.eval()


def pad_token(run: FinishedRun, base: Located) -> int:
    """Return the token that the run padded with."""
    found = load_tokenizer(base.folder, run.spec.model.trust_remote_code).pad_token_id
    assert isinstance(found, int)
    return found


def write_folder(folder: Path, model: nn.Module, base: Located, run: FinishedRun, data: TaskData | str) -> str:
    """Write model, configuration with the names of the labels, and tokenizer; the folder appears whole.

    It is loaded once by transformers alone, and its weights are compared. A head that looks for the padding token
    would read texts that end with that token at another place; where such texts are in the data, or may be, the
    configuration names none, and transformers then takes texts one at a time.

    Args:
        folder: replaced where it is ours.
        model: of the run.
        base: its pre-trained model.
        run: the run.
        data: the prepared task, or why there is none.

    Returns:
        What a user of the folder should know, "" where there is nothing.
    """
    config: Any = model.config
    names = run.spec.task.label_names
    if names:
        config.id2label = dict(enumerate(names))
        config.label2id = {name: number for number, name in enumerate(names)}
    trusted = run.spec.model.trust_remote_code
    remark = ""
    if searches_for_padding(model) and _padding_may_end_a_text(base, trusted, data):
        config.pad_token_id = config.get_text_config().pad_token_id = None
        remark = "texts may end with the token that pads: the folder names no padding token, score texts one by one"

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch) / "made"
        with quiet():
            model.save_pretrained(made)  # pyright: ignore
            load_tokenizer(base.folder, trusted, stand_in=not remark).save_pretrained(made)
            alone = AutoModelForSequenceClassification.from_pretrained(
                made, dtype=torch.float32, trust_remote_code=trusted
            )
        if hash_of(alone) != hash_of(model):
            raise UserError(
                f"transformers alone does not load {type(model).__name__} as it was saved",
                "a model that save_pretrained writes whole",
                "Export without --full: intdim.load rebuilds it.",
            )
        durable.write_json(made / MARK, {"run_id": run.spec.run_id, "made_by": "intdim export --full"})
        if folder.exists():
            shutil.rmtree(folder)
        made.replace(folder)
    return remark


def _padding_may_end_a_text(base: Located, trusted: bool, data: TaskData | str) -> bool:
    """Tell whether a text of the data ends with the padding token; without data, whether one could."""
    tokenizer = load_tokenizer(base.folder, trusted)
    if isinstance(data, str):
        own = load_tokenizer(base.folder, trusted, stand_in=False)
        control = [number for number in own.all_special_ids if number != own.unk_token_id]
        return tokenizer.pad_token_id not in control
    return any(
        bool((split.ids[split.offsets + split.lengths - 1] == data.pad_id).any())
        for split in (data.train, data.evaluation)
    )
