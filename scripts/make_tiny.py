"""Make ``intdim/assets/tiny`` again: pre-train, store, and compare with random weights.

    python scripts/make_tiny.py

About 20 minutes on one free core. Interrupted, the same command goes on. The same package versions and machine give
the same weights; the command line's way to the same folder is
``intdim pretrain window=64 steps=4000 store=float16 device=cpu threads=1``.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from intdim import durable, pretrain
from intdim.fingerprint import fingerprint_folder
from intdim.locate import FOLDER_FILES
from intdim.tasks import corpus, docstrings
from intdim.tasks.windows import docstring_corpus

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "intdim" / "assets" / "tiny"
WORK = ROOT / "outputs" / "make-tiny"
CONFIG = pretrain.PretrainConfig(window=64, steps=4000)
MODELS, SEEDS = ("tiny", "tiny-random"), (0, 1, 2)

README = """# tiny

A BERT of {weights:,} weights ({layers} layers, width {hidden_size}, {heads} heads, {vocab_size} lower-cased word
pieces), made for trying `intdim` without a network. It knows docstrings and nothing else.

* **Corpus**: the pre-training half of the built-in corpus, {texts:,} docstrings with their signatures, fingerprint
  `{fingerprint}`. No text of the built-in tasks is among them: modules are divided by a hash of their name.
* **Versions**: {versions}.
* **Recipe**: masked words and replaced segments, {steps} steps of {batch_size} windows of at most {window} tokens, in
  {minutes:.0f} minutes on one thread of a busy machine. At the end (mean of the last {last} steps): masked-word loss
  {masked_loss:.3f} nats, replaced-segment loss {next_loss:.3f} nats (not knowing costs 0.693).
* **Files**: body with pooler, no heads; stored as float16, loaded as float32. The embeddings are stored
  {embedding_scale:g} times as large as they were trained: the LayerNorm behind them undoes that, and fine-tuning moves
  them less for their size.
* **Made again by** `python scripts/make_tiny.py`, which also writes this file.

Full fine-tuning (300 steps of 32, rate 1.5e-3, {seeds} seeds; accuracy on the scoring half, mean and range;
`majority` always answers the commonest class of the training split):

| task | tiny | tiny-random | majority |
|---|---|---|---|
{table}

**Licence.** The weights are under the licence of `intdim`. The texts they were trained on belong to their packages:
Python (PSF), numpy, pandas and torch (BSD), matplotlib (its own, PSF-like). None of the texts is in this folder.
"""


def main() -> None:
    """Pre-train (or go on), put the model into the package, compare it with random weights, and describe it."""
    print(f"{CONFIG.steps} steps: about 20 minutes on one free core; goes on from {WORK} if interrupted", flush=True)
    facts = pretrain.run(
        docstring_corpus(), WORK / "run", CONFIG, seed_world=_seed_world, report=_show, dtype=torch.float16
    )
    install(Path(facts["folder"]))
    fine_tune(WORK / "compare")
    describe(facts["weights"], table(WORK / "compare"))
    size = sum(file.stat().st_size for file in ASSETS.iterdir())
    print((ASSETS / "README.md").read_text(encoding="utf-8"))
    print(f"{ASSETS}: {size / 1e6:.2f} MB")


def install(made: Path) -> None:
    """Put a finished folder in the place of the shipped one."""
    partial, old = ASSETS.with_name(".tiny.partial"), ASSETS.with_name(".tiny.old")
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, partial)
    if ASSETS.exists():
        ASSETS.rename(old)
    partial.rename(ASSETS)
    shutil.rmtree(old, ignore_errors=True)


def fine_tune(out: Path) -> None:
    """Fine-tune both models fully on both tasks through the command line; runs that are there are not repeated."""
    lists = [f"model={','.join(MODELS)}", f"task={','.join(docstrings.NAMES)}", f"seed={','.join(map(str, SEEDS))}"]
    fixed = ["subspace=full", "train.max_steps=300", "train.learning_rate=[1.5e-3]", "device=cpu", f"out={out}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "intdim", "train", "-m", *lists, *fixed], check=True, env=environment)


def table(out: Path) -> list[str]:
    """Return the rows of the comparison: mean and range over the seeds, from the runs of the present weights."""
    present = fingerprint_folder(ASSETS, FOLDER_FILES)
    scores: dict[tuple[str, str], list[float]] = {}
    for file in sorted((out / "runs").glob("*/result.json")):
        spec = json.loads((file.parent / "spec.json").read_text(encoding="utf-8"))
        if spec["model"]["fingerprint"] == present:
            key = spec["task"]["name"], spec["model"]["name"]
            scores.setdefault(key, []).append(json.loads(file.read_text(encoding="utf-8"))["eval_score"])
    rows = []
    for task in docstrings.NAMES:
        splits = docstrings.load(task)
        majority = (splits["validation"]["label"] == splits["train"]["label"].mode()[0]).mean()
        found = [scores[task, model] for model in MODELS]
        assert all(len(values) == len(SEEDS) for values in found), "a run failed"
        shown = [f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})" for values in found]
        rows.append(f"| {task} | {' | '.join(shown)} | {majority:.3f} |")
    return rows


def describe(weights: int, rows: list[str]) -> None:
    """Write the README of the shipped folder."""
    made = docstring_corpus()
    last = json.loads((WORK / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    names = [*[name for name in corpus.PACKAGES if name != "stdlib"], "transformers", "tokenizers"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    text = README.format(
        **{
            name: getattr(CONFIG, name)
            for name in ("layers", "hidden_size", "heads", "batch_size", "window", "steps", "embedding_scale")
        },
        vocab_size=json.loads((ASSETS / "config.json").read_text(encoding="utf-8"))["vocab_size"],
        weights=weights,
        texts=len(made.texts),
        fingerprint=made.fingerprint,
        versions=f"Python {platform.python_version()}, {versions}",
        minutes=last["seconds"] / 60,
        last=pretrain.REPORT_EVERY,
        masked_loss=last["masked_loss"],
        next_loss=last["next_loss"],
        seeds=len(SEEDS),
        table="\n".join(rows),
    )
    durable.write_text(ASSETS / "README.md", text)


def _seed_world(seed: int) -> None:
    torch.manual_seed(seed)


def _show(facts: dict[str, Any]) -> None:
    left = facts["seconds"] / facts["step"] * (facts["steps"] - facts["step"]) / 60
    print(
        f"step {facts['step']:.0f}  masked {facts['masked_loss']:.3f}  replaced {facts['next_loss']:.3f}  "
        f"{left:.0f} min left",
        flush=True,
    )


if __name__ == "__main__":
    main()
