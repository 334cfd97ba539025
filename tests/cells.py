"""Requests and a worker that needs no model: runs are read off a known curve, so that sweeps take milliseconds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from intdim.launch import InProcess
from intdim.launch.jobs import Device, PrepareJob, RunCost, RunJob, TimeJob
from intdim.ledger.prepared import ASSETS
from intdim.ledger.results import Answers, RunResult
from intdim.ledger.store import Ledger
from intdim.request import CellRequest, ModelRequest, RuntimeRequest, TaskRequest
from intdim.spec import (
    Facts,
    ModelSpec,
    Prepared,
    RunSpec,
    SearchSpec,
    SubspaceSpec,
    SweepSpec,
    TaskSpec,
    TrainSpec,
    from_dict,
    to_dict,
)
from tests.records import result_of

TRAIN = TrainSpec(1, 60, 8, 1, 0.1, 1.0, 0.01, 0.9, 0.999, 1e-8, "float32", 2, 0)
SEARCH = SearchSpec("posterior", 8, 65_536, 12, 0.9, "absolute", 3, 2, 13, 400)
BEST_LENGTH = 3.0
WEIGHTS = 1_000_000


def cell(**changes: Any) -> CellRequest:
    """Return a request for the built-in model and task with a small training."""
    model = ModelRequest("tiny", "builtin", "tiny", "main", "", False, 0, {}, False, False)
    names = ("stdlib", "numpy", "pandas", "matplotlib", "torch")
    task = TaskRequest(
        name="docstrings-package",
        source="builtin",
        reference="docstrings-package",
        config="",
        path="",
        version=1,
        text=("text",),
        label="label",
        label_names=names,
        objective="auto",
        metric="accuracy",
        max_length=48,
        train_split="train",
        eval_split="validation",
        max_train=200,
        max_eval=120,
        selection="half",
    )
    made = {
        "model": model,
        "task": task,
        "subspace": SubspaceSpec("did", "one_hot", "global", "layer", ()),
        "train": TRAIN,
        "search": SEARCH,
        "step_lengths": (1.0, 3.0, 10.0),
        "learning_rates": (1e-3, 3e-3, 1e-2),
        "baseline_seeds": 3,
        "seed": 0,
    }
    return CellRequest(**(made | changes))


def runtime(out: Path, **changes: Any) -> RuntimeRequest:
    """Return a runtime with one slot on the CPU."""
    made = {"out": str(out), "device": "cpu", "slots": 1, "threads": 1, "checkpoint_seconds": 0.0, "offline": True}
    made["compile"] = "false"
    return RuntimeRequest(**(made | changes))


def prepared(D: int = WEIGHTS, chance: float = 0.5) -> Prepared:
    """Return what preparation would have found."""
    model = ModelSpec("tiny", "builtin", "tiny", "", "abc", False, 0, {}, False, False)
    task = TaskSpec(
        "docstrings-package", "builtin", "docstrings-package", 1, "def", ("text",), "label", ("a", "b"),
        "classification", "accuracy", 48, "train", "validation", 200, 120, "half",
    )  # fmt: skip
    groups = {"layer": 4, "module": 22, "tensor": 41}
    return Prepared(
        model, task, Facts(D, groups, 41, 200, 120, chance, 0.01, 20.0, str((ASSETS / "tiny").resolve()), "/tmp")
    )


def sweep() -> SweepSpec:
    """Return the sweep of ``cell()``."""
    from intdim.drivers.cells import sweep_spec  # brings scipy, which simulated workers need not wait for

    return sweep_spec(cell(), prepared())


class Simulated:
    """Jobs for an ``InProcess`` launcher: scores follow a logistic in log d, spoilt by a wrong step length."""

    def __init__(self, middle: float = 5.5, baseline: float = 0.9, chance: float = 0.5) -> None:
        self.middle, self.baseline, self.chance = middle, baseline, chance
        self.made: list[RunSpec] = []
        self.fail: set[str] = set()  # methods or run ids whose runs break
        self.stop_after: int | None = None  # runs after which the driver is interrupted
        self.memory = 0  # bytes that are free; 0: not known
        self.probed: list[RunSpec] = []
        self.examples = 0  # evaluation examples that a score is read on; 0: it is not read on any
        self.kept = True  # the answers on them are kept
        self.cost = RunCost(1.0, 1.0, 1, 1.0, 60, 5 << 30)  # of every run: a second a step, 5 GiB

    def launcher(self) -> InProcess:
        """Return a launcher of these jobs."""
        return InProcess({"run": self.run, "prepare": self.prepare, "device": self.device, "time": self.time})

    def prepare(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        """Answer with fixed facts."""
        from_dict(PrepareJob, payload)
        return to_dict(prepared(chance=self.chance))

    def device(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        """Answer with a CPU."""
        return to_dict(Device("cpu", 0, self.memory))

    def time(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        """Answer with ``cost``."""
        self.probed.append(from_dict(TimeJob, payload).spec)
        return to_dict(self.cost)

    def score(self, spec: RunSpec) -> float:
        """Return the score of a run; at chance where the step length or rate is far off."""
        noise = 0.004 * np.random.default_rng(spec.seed).standard_normal()
        gap = self.baseline - self.chance
        if spec.subspace.method == "full":
            return self.baseline + noise - 0.05 * abs(math.log(spec.learning_rate / 3e-3))
        if abs(math.log(spec.step_length / BEST_LENGTH)) > 1.5:
            return self.chance + noise / 4
        return self.chance + gap / (1 + math.exp(-(math.log(spec.d) - self.middle) / 0.7)) + noise

    def run(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        """Make a run as a worker would, or find it."""
        if self.stop_after is not None and len(self.made) >= self.stop_after:
            raise KeyboardInterrupt
        job = from_dict(RunJob, payload)
        spec, ledger = job.spec, Ledger(Path(job.runtime.out), lambda text: report({"note": text}))
        if spec.subspace.method in self.fail or spec.run_id in self.fail:
            raise RuntimeError("out of memory, say")
        with ledger.claim(ledger.run_folder(spec.run_id)):
            return to_dict(ledger.begin(spec) or self.make(spec, ledger))

    def make(self, spec: RunSpec, ledger: Ledger) -> RunResult:
        """Make a run whose folder is ready."""
        self.made.append(spec)
        score, stopped = self.score(spec), ""
        if spec.stop_at is not None and score >= spec.stop_at:
            score, stopped = 0.5 * (spec.stop_at + score), "crossed"  # somewhere on the way up
        if self.examples:
            score = self.answer(spec, score, ledger)
        found = score if math.isfinite(score) else None  # a worker says so that it failed to have one
        scores = {"train_score": found, "eval_score": found, "select_score": found}
        halves = None if found is None else [found, found]
        result = result_of(spec, d=spec.d or WEIGHTS, D=WEIGHTS, stopped=stopped, half_scores=halves, **scores)
        ledger.write_result(result)
        return result

    def answer(self, spec: RunSpec, score: float, ledger: Ledger) -> float:
        """Give, and keep, answers of about this score; return the score that they have."""
        right = round(score * self.examples)
        hard = np.random.default_rng(0).random(self.examples)  # the same examples are hard for every run
        hard += 0.5 * np.random.default_rng(spec.seed).random(self.examples)
        labels = np.arange(self.examples) % 2
        predictions = np.where(np.argsort(np.argsort(hard)) < right, labels, 1 - labels)
        if self.kept:
            kept = np.ones(self.examples, dtype=np.uint8)
            Answers(predictions, labels, kept, 60, 60).write(ledger.run_folder(spec.run_id))
        return right / self.examples
