"""``intdim pretrain``: masked-LM pre-training with checkpoints as Hugging Face folders."""

from __future__ import annotations

import functools
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
    typed = frozenset(argument.lstrip("+").partition("=")[0] for argument in arguments)
    return cells("pretrain", arguments, functools.partial(work, typed=typed))


def work(made: list[DictConfig], typed: frozenset[str] = frozenset()) -> int:
    """Pre-train once for each cell; ``typed`` are the keys on the command line."""
    outs = [str(cfg.out) for cfg in made]
    if len(set(outs)) < len(outs):
        raise UserError(
            f"{len(outs)} cells of this grid would write into {outs[0]}",
            "an out of its own for each",
            "Write the key into it, such as 'out=outputs/pretrain-${seed}'.",
        )
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
        start = _start(check, typed)
        drawn_here = not start or "kind" in start
        if drawn_here and values["hidden_size"] % values["heads"]:
            check.fault(f"model.hidden_size={values['hidden_size']}", f"a multiple of model.heads={values['heads']}")
        if drawn_here and values["window"] > values["max_positions"]:
            check.fault(f"window={values['window']}", f"at most model.max_positions={values['max_positions']}")
        out = check.out()
        check.done()
        _pretrain(check, values, start, unit, device, store, out)
    return 0


def _start(check: Checked, typed: frozenset[str]) -> dict[str, str]:
    """Return what else than BERT's recipe to begin from, {} for that; keys that it would ignore are faults."""
    config, path = check.text("model.config"), check.text("model.path")
    if not config and not path:
        return {}
    if config and path:
        check.fault("model.config beside model.path", "model.config (random weights) or model.path (weights)")
    ignored, by = {"embedding_scale"}, f"model.path={path}" if path else f"model.config={config}"
    place = Path(path or config).expanduser()
    kind = bool(config) and not place.exists() and "/" not in config and not config.endswith(".json")
    if not kind:
        ignored |= {key for key in WHOLE if key.startswith("model.")} - {"model.vocab_size"}
        ignored |= {"model.vocab_size"} if path else set()
        if not place.exists() or (path and not (place / "config.json").is_file()):
            check.fault(f"{by} is no {'folder with a config.json' if path else 'file or folder'}", "a path that exists")
    for key in sorted(ignored & typed):
        check.fault(f"{key} beside {by}", f"{key} goes with BERT's recipe" if kind else f"{key} is decided there")
    return {"kind": config} if kind else {"folder": path} if path else {"config": config}


def _pretrain(
    check: Checked, values: dict[str, Any], start: dict[str, str], unit: str, device: str, store: str, out: Path
) -> None:
    import torch

    from intdim.pretrain.loop import PretrainConfig, Start, read_corpus, run
    from intdim.report.losses import write_losses

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise UserError("device=cuda, but torch sees no CUDA device", "device=auto or device=cpu", "Use device=cpu.")
    values["device"] = "cuda" if cuda and device != "cpu" else "cpu"
    corpus = read_corpus(check.text("corpus.name"), check.text("corpus.path"), check.text("corpus.column"), unit)

    def seed_world(seed: int) -> None:
        torch.manual_seed(seed)

    def report(facts: dict[str, Any]) -> None:
        left = facts["seconds"] / facts["step"] * (facts["steps"] - facts["step"])
        follows = f"next {facts['next_loss']:.3f}  " if "next_loss" in facts else ""
        print(
            f"step {facts['step']}/{facts['steps']}  masked {facts['masked_loss']:.3f}  {follows}{duration(left)} left",
            flush=True,
        )

    try:
        facts = run(
            corpus,
            out,
            PretrainConfig(**values),
            seed_world=seed_world,
            report=report,
            dtype=getattr(torch, store),
            start=Start(**start) if start else None,
        )
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the last state is kept") from None
    curve = write_losses(out)[1]
    print(
        f"{facts['weights']:,} weights, {facts['windows']:,} windows, {facts['padding']:.1%} of the places padding; "
        f"written to {facts['folder']}, the loss curve to {curve}"
    )
