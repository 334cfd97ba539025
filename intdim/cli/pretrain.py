"""``intdim pretrain``: masked-LM pre-training with checkpoints as Hugging Face folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.view import duration
from intdim.config import DEVICES, PRECISIONS, Checked
from intdim.errors import Interrupted, UserError

UNITS = ("line", "paragraph", "file")
WHOLE = {
    "model.vocab_size": 100,
    "model.hidden_size": 4,
    "model.layers": 1,
    "model.heads": 1,
    "model.intermediate_size": 4,
    "model.max_positions": 16,
    "window": 16,
    "steps": 1,
    "batch_size": 2,
    "checkpoint_every": 1,
    "seed": 0,
}


def main(arguments: list[str]) -> int:
    """Compose the configuration and pre-train, or go on where it stopped; return the exit status."""
    return cells("pretrain", arguments, work)


def work(made: list[DictConfig]) -> int:
    """Pre-train once for each cell."""
    for cfg in made:
        check = Checked(cfg)
        values: dict[str, Any] = {key.rpartition(".")[2]: check.whole(key, low) for key, low in WHOLE.items()}
        values["learning_rate"] = check.real("learning_rate", 0.0, open_low=True)
        values["warmup"] = check.real("warmup", 0.0, 1.0)
        values["weight_decay"] = check.real("weight_decay", 0.0)
        values["mask_fraction"] = check.real("mask_fraction", 0.0, 0.9, open_low=True)
        values["embedding_scale"] = check.real("embedding_scale", 0.0, open_low=True)
        values["precision"] = check.choice("precision", PRECISIONS)
        values["threads"] = check.whole("threads", 0, none=0) or os.cpu_count() or 1
        unit = check.choice("corpus.unit", UNITS)
        device, store = check.choice("device", DEVICES), check.choice("store", ("float32", "float16"))
        if values["hidden_size"] % values["heads"]:
            check.fault(f"model.hidden_size={values['hidden_size']}", f"a multiple of model.heads={values['heads']}")
        if values["window"] > values["max_positions"]:
            check.fault(f"window={values['window']}", f"at most model.max_positions={values['max_positions']}")
        out = check.out()
        check.done()
        _pretrain(check, values, unit, device, store, out)
    return 0


def _pretrain(check: Checked, values: dict[str, Any], unit: str, device: str, store: str, out: Path) -> None:
    import torch

    from intdim.pretrain import PretrainConfig, read_corpus, run

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UserError("device=cuda, but torch sees no CUDA device", "device=auto or device=cpu", "Use device=cpu.")
    values["device"] = "cuda" if cuda and device != "cpu" else "cpu"
    corpus = read_corpus(check.text("corpus.name"), check.text("corpus.path"), check.text("corpus.column"), unit)

    def seed_world(seed: int) -> None:
        torch.manual_seed(seed)

    def report(facts: dict[str, Any]) -> None:
        left = facts["seconds"] / facts["step"] * (facts["steps"] - facts["step"])
        print(
            f"step {facts['step']}/{facts['steps']}  masked {facts['masked_loss']:.3f}  "
            f"next {facts['next_loss']:.3f}  {duration(left)} left",
            flush=True,
        )

    try:
        facts = run(
            corpus, out, PretrainConfig(**values), seed_world=seed_world, report=report, dtype=getattr(torch, store)
        )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the last state is kept") from None
    print(f"{facts['weights']:,} weights, {facts['windows']:,} windows; written to {facts['folder']}")
