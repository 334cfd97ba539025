"""Make ``intdim/assets/tiny``: pre-train, store, and compare with random weights.

    python scripts/make_tiny.py
    python scripts/make_tiny.py --rehearse 20

Takes about 20 minutes on one free core. After an interrupt the same command resumes. The same package versions and
machine give the same weights. ``intdim pretrain store=float16 device=cpu threads=1`` makes the same folder; its other
values are those below. ``--rehearse`` makes that many steps of pre-training and of each comparison, does not change
the shipped folder, and reports whether everything but the trained numbers equals what is shipped.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import torch
from safetensors.torch import load_file

from intdim import durable
from intdim.fingerprint import MODEL_FILES, fingerprint_folder
from intdim.launch.jobs import PretrainProgress
from intdim.pretrain import docstrings as corpus
from intdim.pretrain import loop as pretrain
from intdim.pretrain.texts import docstring_corpus
from intdim.tasks import docstrings

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "intdim" / "assets" / "tiny"
WORK = ROOT / "outputs" / "make-tiny"
CONFIG = pretrain.PretrainConfig(
    vocab_size=7000,
    hidden_size=128,
    layers=2,
    heads=4,
    intermediate_size=512,
    max_positions=128,
    window=64,
    steps=4000,
    batch_size=64,
    learning_rate=2e-3,
    warmup=0.05,
    weight_decay=0.01,
    mask_fraction=0.15,
    checkpoint_every=1000,
    embedding_scale=2.0,
    seed=0,
    precision="float32",
    device="cpu",
    threads=1,
)
STORE = torch.float16
MODELS, SEEDS, FINE_STEPS = ("tiny", "tiny-random"), (0, 1, 2), 300

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
* **Configuration**: {configuration}.
* **SHA-256**: {digests}.
* **Made again by** `python scripts/make_tiny.py`, which also writes this file.

Full fine-tuning ({fine_steps} steps of 32, rate 1.5e-3, {seeds} seeds; accuracy on the scoring half, mean and range;
`majority` always answers the commonest class of the training split):

| task | tiny | tiny-random | majority |
|---|---|---|---|
{table}

**Licence.** The weights are under the licence of `intdim`. The texts they were trained on belong to their packages:
Python (PSF), numpy, pandas and torch (BSD), matplotlib (its own, PSF-like). None of the texts is in this folder.
"""


def main() -> None:
    """Make the shipped folder, or rehearse that."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rehearse", type=int, metavar="STEPS", help="make this many steps; change nothing that is shipped"
    )
    steps = parser.parse_args().rehearse
    if steps is None:
        make()
    else:
        rehearse(steps)


def make() -> None:
    """Pre-train (or resume), put the model into the package, compare it with random weights, and write its README."""
    print(
        f"{CONFIG.steps} steps: about 20 minutes on one free core; resumes from {WORK} after an interrupt", flush=True
    )
    facts = trained(WORK / "run", CONFIG)
    install(Path(facts.folder))
    fine_tune(WORK / "compare", FINE_STEPS, SEEDS)
    rows = table(WORK / "compare", SEEDS)
    text = described(ASSETS, WORK / "run", CONFIG, facts.weights, FINE_STEPS, len(SEEDS), rows)
    durable.write_text(ASSETS / "README.md", text)
    size = sum(file.stat().st_size for file in ASSETS.iterdir())
    print(text)
    print(f"{ASSETS}: {size / 1e6:.2f} MB")


def rehearse(steps: int) -> None:
    """Make everything with ``steps`` steps in another folder; exit with 1 if more than the trained numbers differs."""
    out, config = WORK / f"rehearsal-{steps}", dataclasses.replace(CONFIG, steps=steps)
    facts = trained(out / "run", config)
    made = Path(facts.folder)
    fine_tune(out / "compare", steps, SEEDS[:1])
    rows = table(out / "compare", SEEDS[:1])
    print(described(made, out / "run", config, facts.weights, steps, 1, rows))
    wrong = differences(made)
    if wrong:
        sys.exit(f"not as shipped: {', '.join(wrong)} (other versions of Python or the packages?)")
    print(f"all but the trained numbers is as shipped; {made}")


def trained(out: Path, config: pretrain.PretrainConfig) -> pretrain.PretrainSummary:
    """Pre-train on the docstrings in ``out``, or resume; return the summary."""
    return pretrain.run(docstring_corpus(), out, config, report=_show, dtype=STORE)


def differences(made: Path) -> list[str]:
    """Return what differs from the shipped folder, apart from the README and the values of the weights."""
    small = ("config.json", "tokenizer.json", "tokenizer_config.json")
    wrong = [name for name in small if (made / name).read_bytes() != (ASSETS / name).read_bytes()]
    shapes = [
        {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in load_file(folder / "model.safetensors").items()}
        for folder in (made, ASSETS)
    ]
    return wrong + ["names, shapes or types of weights"] * (shapes[0] != shapes[1])


def install(made: Path) -> None:
    """Replace the shipped folder by a finished one."""
    partial, old = ASSETS.with_name(".tiny.partial"), ASSETS.with_name(".tiny.old")
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, partial)
    if ASSETS.exists():
        ASSETS.rename(old)
    partial.rename(ASSETS)
    shutil.rmtree(old, ignore_errors=True)


def fine_tune(out: Path, steps: int, seeds: Sequence[int]) -> None:
    """Fine-tune the shipped models fully on every task through the command line; finished runs are not repeated."""
    lists = [f"model={','.join(MODELS)}", f"task={','.join(docstrings.NAMES)}", f"seed={','.join(map(str, seeds))}"]
    fixed = ["subspace=full", f"train.max_steps={steps}", "train.learning_rate=[1.5e-3]", "device=cpu", f"out={out}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "intdim", "train", "-m", *lists, *fixed], check=True, env=environment)


def table(out: Path, seeds: Sequence[int]) -> list[str]:
    """Return the rows of the comparison: mean and range over the seeds, from the runs of the present weights."""
    present = fingerprint_folder(ASSETS, MODEL_FILES)
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
        assert all(len(values) == len(seeds) for values in found), "a run failed"
        shown = [f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})" for values in found]
        rows.append(f"| {task} | {' | '.join(shown)} | {majority:.3f} |")
    return rows


def described(
    folder: Path,
    run: Path,
    config: pretrain.PretrainConfig,
    weights: int,
    fine_steps: int,
    seeds: int,
    rows: list[str],
) -> str:
    """Return the README of ``folder``, which the pre-training in ``run`` made."""
    made = docstring_corpus()
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    names = [*[name for name in corpus.PACKAGES if name != "stdlib"], "transformers", "tokenizers"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return README.format(
        **dataclasses.asdict(config)
        | {"vocab_size": json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]},
        configuration=configuration(config),
        digests=digests(folder),
        weights=weights,
        texts=len(made.texts),
        fingerprint=made.fingerprint,
        versions=f"Python {platform.python_version()}, {versions}",
        minutes=last["seconds"] / 60,
        last=min(pretrain.REPORT_EVERY, config.steps),
        masked_loss=last["masked_loss"],
        next_loss=last["next_loss"],
        fine_steps=fine_steps,
        seeds=seeds,
        table="\n".join(rows),
    )


def configuration(config: pretrain.PretrainConfig) -> str:
    """Return every value that the pre-training depends on, as text."""
    values = dataclasses.asdict(config) | {"store": str(STORE).removeprefix("torch.")}
    return ", ".join(f"`{name}={value}`" for name, value in values.items())


def digests(folder: Path) -> str:
    """Return the SHA-256 of every file of a model's folder but the README."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix in (".json", ".safetensors")]
    return ", ".join(f"`{file.name}` {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files)


def _show(progress: PretrainProgress) -> None:
    left = progress.seconds / progress.step * (progress.steps - progress.step) / 60
    losses = f"masked {progress.masked_loss:.3f}  replaced {progress.next_loss or 0.0:.3f}"
    print(f"step {progress.step}  {losses}  {left:.0f} min left", flush=True)


if __name__ == "__main__":
    main()
