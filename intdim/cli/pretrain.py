"""``intdim pretrain``: masked-LM pre-training with checkpoints as Hugging Face folders."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.compose import cells
from intdim.cli.view import Lines
from intdim.cli.words import duration
from intdim.config import DEVICES, PRECISIONS, Checked
from intdim.errors import UserError
from intdim.launch.jobs import PretrainJob, PretrainProgress
from intdim.request import CorpusRequest, PretrainConfig, RuntimeRequest, Start

UNITS = ("line", "paragraph", "file")
STORES = ("float32", "float16")
SHAPES = {
    "model.hidden_size": 4,
    "model.layers": 1,
    "model.heads": 1,
    "model.intermediate_size": 4,
    "model.max_positions": 16,
}  # and the least that each can be


def main(arguments: list[str]) -> int:
    """Compose the configuration and pre-train, or resume that; return the exit status."""
    typed = frozenset(argument.lstrip("+").partition("=")[0] for argument in arguments)
    return cells("pretrain", arguments, functools.partial(work, typed=typed))


def work(made: list[DictConfig], typed: frozenset[str] = frozenset()) -> int:
    """Pre-train once for each cell; ``typed`` are the keys on the command line."""
    outs = [str(cfg.out) for cfg in made]
    if len(set(outs)) < len(outs):
        raise UserError(
            f"{len(outs)} cells of this grid would write into {outs[0]}",
            "a different out for each",
            "Write the key into it, such as 'out=outputs/pretrain-${seed}'.",
        )
    jobs = [pretrain_job(cfg, typed) for cfg in made]
    from intdim.drivers.pretrain import pretrain

    for job in jobs:
        slot = RuntimeRequest(
            out=job.out,
            device=job.config.device,
            slots=1,
            threads=job.config.threads,
            checkpoint_seconds=0.0,
            offline=False,
            compile="false",
        )
        summary = pretrain(job, slot, show_progress, Lines(job.out))

        from intdim.report import try_losses

        undrawn = try_losses(Path(job.out))
        if summary.vocabulary < job.config.vocab_size and not (job.start and job.start.folder):
            print(f"The corpus gives {summary.vocabulary:,} word pieces, fewer than model.vocab_size asked for.")
        print(
            f"{summary.weights:,} weights, {summary.windows:,} windows, {summary.padding:.1%} of the places padding; "
            f"written to {summary.folder}, " + (undrawn or f"the loss curve to {Path(job.out) / 'loss.png'}")
        )
    return 0


def show_progress(progress: PretrainProgress) -> None:
    """Print a line: the step, the losses and the time left."""
    left = progress.seconds / progress.step * (progress.steps - progress.step)
    follows = "" if progress.next_loss is None else f"next {progress.next_loss:.3f}  "
    print(
        f"step {progress.step}/{progress.steps}  masked {progress.masked_loss:.3f}  {follows}{duration(left)} left",
        flush=True,
    )


def pretrain_job(cfg: DictConfig, typed: frozenset[str] = frozenset()) -> PretrainJob:
    """Return what a configuration asks for; the device is as it was typed, perhaps ``auto``.

    Args:
        cfg: of ``intdim pretrain``.
        typed: keys on the command line, which must not be ones that ``model.config`` or ``model.path`` decide.

    Raises:
        UserError: all that is wrong with the values, in one message.
    """
    check = Checked(cfg)
    shapes = {key.removeprefix("model."): check.whole(key, low) for key, low in SHAPES.items()}
    config = PretrainConfig(
        vocab_size=check.whole("model.vocab_size", 100),
        **shapes,
        window=check.whole("window", 16),
        steps=check.whole("steps", 1),
        batch_size=check.whole("batch_size", 2),
        learning_rate=check.real("learning_rate", 0.0, open_low=True),
        warmup=check.real("warmup", 0.0, 1.0),
        weight_decay=check.real("weight_decay", 0.0),
        mask_fraction=check.real("mask_fraction", 0.0, 0.9, open_low=True),
        checkpoint_every=check.whole("checkpoint_every", 1),
        embedding_scale=check.real("embedding_scale", 0.0, open_low=True),
        seed=check.whole("seed", 0),
        precision=check.choice("precision", PRECISIONS),
        device=check.choice("device", DEVICES),
        threads=check.whole("threads", 0, none=0) or os.cpu_count() or 1,
    )
    corpus = CorpusRequest(
        name=check.text("corpus.name"),
        path=check.text("corpus.path"),
        column=check.text("corpus.column"),
        unit=check.choice("corpus.unit", UNITS),
    )
    start = _start(check, typed)
    if start is None or start.kind:  # the model is drawn with the shapes of the command
        if config.hidden_size % config.heads:
            check.fault(f"model.hidden_size={config.hidden_size}", f"a multiple of model.heads={config.heads}")
        if config.window > config.max_positions:
            check.fault(f"window={config.window}", f"at most model.max_positions={config.max_positions}")

    job = PretrainJob(corpus, config, start, store=check.choice("store", STORES), out=str(check.out()))
    check.done()
    return job


def _start(check: Checked, typed: frozenset[str]) -> Start | None:
    """Return where another recipe than BERT's begins, None for BERT's; keys that it would ignore are faults."""
    config, path = check.text("model.config"), check.text("model.path")
    if not config and not path:
        return None
    if config and path:
        check.fault("model.config together with model.path", "model.config (random weights) or model.path (weights)")

    ignored, by = {"embedding_scale"}, f"model.path={path}" if path else f"model.config={config}"
    place = Path(path or config).expanduser()
    is_kind = bool(config) and not place.exists() and "/" not in config and not config.endswith(".json")
    if not is_kind:
        ignored |= {*SHAPES, "model.vocab_size"} if path else set(SHAPES)
        if not place.exists() or (path and not (place / "config.json").is_file()):
            fact = "is not a folder with a config.json" if path else "does not exist"
            check.fault(f"{by} {fact}", "a path that exists")
    for key in sorted(ignored & typed):
        allowed = f"{key} applies to BERT's recipe only" if is_kind else f"{key} is decided by it"
        check.fault(f"{key} together with {by}", allowed)
    if is_kind:
        return Start(kind=config)
    return Start(folder=path) if path else Start(config=config)
