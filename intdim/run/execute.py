"""The worker's side of a run: build model, task, subspace; train; rename ``result.json`` into place.

Jobs are plain functions of a JSON payload. ``run_job`` makes one run, ``time_job`` measures what a step costs.
Only this file seeds the world (torch's global generator), and only inside a worker.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import logging
import math
import os
import platform
import random
import resource
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

from intdim import durable
from intdim.errors import RunFailed, UserError
from intdim.kernels import native
from intdim.ledger.store import FULL, Ledger
from intdim.models.load import load_model
from intdim.run.trainable import FullMover, Mover, SubspaceMover
from intdim.run.training import Outcome, Run, micro_batches, train
from intdim.spec import RunSpec, Runtime, derive_seed, from_dict, to_dict
from intdim.subspace import Subspace
from intdim.tasks.stored import TaskData, load_task

Report = Callable[[dict[str, Any]], None]
PACKAGES = ("torch", "transformers", "datasets", "tokenizers", "numpy", "scipy", "scikit-learn", "safetensors")


def seed_world(seed: int) -> None:
    """Seed every global generator that a model may draw from (initial weights, dropout)."""
    random.seed(seed)
    numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # seeds CUDA too


def versions() -> dict[str, str]:
    """Return the versions that a number may depend on."""
    found = {"python": platform.python_version(), "intdim": importlib.metadata.version("intdim")}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def environment(runtime: Runtime) -> dict[str, Any]:
    """Return where a run happens: machine, device, versions and the ``Runtime``."""
    device = torch.cuda.get_device_name() if runtime.device == "cuda" else platform.processor() or platform.machine()
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "device": device,
        "threads": torch.get_num_threads(),
        "products": native.reason(),
        "cores": os.cpu_count(),
        "versions": versions(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "runtime": to_dict(runtime),
    }


def build(spec: RunSpec, runtime: Runtime, data: TaskData) -> tuple[nn.Module, Mover]:
    """Return the model on its device and what moves in it; head and body are drawn from the run's seeds."""
    model = load_model(
        Path(runtime.model_folder),
        classes=spec.task.classes,
        overrides=spec.model.overrides,
        random_init=spec.model.random_init,
        trust_remote_code=spec.model.trust_remote_code,
        gradient_checkpointing=spec.model.gradient_checkpointing,
        seed_world=seed_world,
        init_seed=spec.model.init_seed,
        head_seed=derive_seed(spec.seed, "head"),
        pad_token_id=data.pad_id,
    ).to(runtime.device)
    if spec.subspace.method == "full":
        return model, FullMover(model, spec.subspace.exclude)
    subspace = Subspace(
        model,
        d=spec.d,
        projection=spec.subspace.projection,
        method=spec.subspace.method,
        scope=spec.subspace.scope,
        groups=spec.subspace.groups,
        seed=derive_seed(spec.seed, "projection"),
        exclude=spec.subspace.exclude,
    )
    return model, SubspaceMover(subspace)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the warnings that our own modules log, for the run's log.txt; the worker's log is not kept."""
    said: list[str] = []
    ear = logging.Handler(logging.WARNING)
    ear.emit = lambda record: said.append(record.getMessage())
    source = logging.getLogger("intdim")
    source.addHandler(ear)
    try:
        yield said
    finally:
        source.removeHandler(ear)


def fitting(data: TaskData, model: nn.Module) -> TaskData:
    """Leave out segment numbers for a model whose forward takes none."""
    takes = inspect.signature(model.forward).parameters
    return data if "token_type_ids" in takes else data.without_types()


class PeakMemory:
    """Bytes at the peak: the device's allocator on CUDA, the process's resident set on a CPU (reset where the
    kernel allows it, so that a long-lived worker reports each run for itself)."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            with contextlib.suppress(OSError):  # elsewhere the peak is that of the whole process
                Path("/proc/self/clear_refs").write_text("5")

    def read(self) -> int:
        """Return the peak since construction, in bytes."""
        if self.cuda:
            return torch.cuda.max_memory_allocated()
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def use_threads(runtime: Runtime) -> None:
    """Give torch the slot's share of the cores."""
    if torch.get_num_threads() != runtime.threads:
        torch.set_num_threads(runtime.threads)


def run_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """Make the run ``payload["spec"]`` under ``payload["runtime"]``; return its result, which is also on disk.

    Raises:
        RunFailed: something broke; error.txt in the run's folder holds the traceback.
        UserError: the request cannot be carried out (say, d larger than D).
    """
    spec, runtime = from_dict(RunSpec, payload["spec"]), from_dict(Runtime, payload["runtime"])
    ledger = Ledger(Path(runtime.out))
    folder = ledger.run_folder(spec.run_id)
    with ledger.claim(folder):
        known = ledger.result(spec.run_id)
        if known is not None:
            return known
        (folder / "error.txt").unlink(missing_ok=True)
        try:
            return _run(spec, runtime, ledger, folder, report)
        except UserError:
            raise
        except Exception as error:
            raise RunFailed(_recorded(error, ledger, folder / "error.txt")) from error


def _recorded(error: Exception, ledger: Ledger, file: Path) -> str:
    """Put the traceback of a run that broke into its folder; say what happened and where that is recorded."""
    full = isinstance(error, OSError) and error.errno in FULL
    told = ledger.failed(error) if full and isinstance(error, OSError) else error
    said = str(told) if isinstance(told, RunFailed) else f"{type(told).__name__}: {told}"
    try:
        durable.write_text(file, traceback.format_exc())
    except OSError as refused:
        if isinstance(told, RunFailed):  # it says already that the disk is full
            return f"{said} The traceback could not be written"
        return f"{said}. The traceback could not be written: {ledger.failed(refused)}"
    return f"{said.removesuffix('.')}. The traceback is in {file}"


def _run(spec: RunSpec, runtime: Runtime, ledger: Ledger, folder: Path, report: Report) -> dict[str, Any]:
    use_threads(runtime)
    device = torch.device(runtime.device)
    peak = PeakMemory(device)
    data = load_task(Path(runtime.task_folder))
    with heard() as warnings:
        model, mover = build(spec, runtime, data)
    data = fitting(data, model)
    durable.write_json(folder / "environment.json", environment(runtime))
    dropout = derive_seed(spec.seed, "dropout")
    run = Run(
        model,
        mover,
        data,
        spec,
        device=device,
        folder=folder,
        reseed=lambda step: seed_world(derive_seed(dropout, step)),
        report=report,
        checkpoint_seconds=runtime.checkpoint_seconds,
    )
    outcome = train(run)
    result = result_of(spec, run, outcome, peak.read())
    durable.write_text(folder / "log.txt", log_text(spec, run, result, warnings))
    ledger.write_result(spec.run_id, result)
    run.checkpoint.drop()
    if spec.subspace.method == "full":
        run.best_file.unlink(missing_ok=True)
    return result


def result_of(spec: RunSpec, run: Run, outcome: Outcome, peak_bytes: int) -> dict[str, Any]:
    """Return the content of result.json; a score that is not a number becomes null."""
    mover = run.mover
    full = isinstance(mover, FullMover)
    trainable = mover.d if isinstance(mover, FullMover) else mover.subspace.D  # type: ignore[attr-defined]
    scores = {
        "train_score": outcome.train_score,
        "eval_score": outcome.eval_score,
        "select_score": outcome.select_score,
        "eval_loss": outcome.eval_loss,
    }
    return {
        "run_id": spec.run_id,
        "status": "failed" if outcome.reason else "done",
        "reason": outcome.reason,
        "stopped": outcome.stopped,
        "d": mover.d,
        "D": trainable,
        "method": spec.subspace.method,
        "projection": spec.subspace.projection,
        "step_length": run.rate * math.sqrt(mover.d) if full else spec.step_length,
        "learning_rate": run.rate,
        "seed": spec.seed,
        **{name: value if math.isfinite(value) else None for name, value in scores.items()},
        "metric": spec.task.metric,
        "steps": outcome.steps,
        "best_step": outcome.best_step,
        "seconds": round(outcome.seconds, 3),
        "peak_memory_bytes": peak_bytes,
    }


def log_text(spec: RunSpec, run: Run, result: dict[str, Any], warnings: Sequence[str] = ()) -> str:
    """Return log.txt: which path was taken, what was warned about and what came out, for a reader."""
    lines = [f"run {spec.run_id}: {spec.model.name} on {spec.task.name}, {spec.subspace.method}, seed {spec.seed}"]
    if isinstance(run.mover, SubspaceMover):
        subspace = run.mover.subspace
        lines.append(f"theta in R^{subspace.D}, d = {subspace.d} of which {subspace.num_groups} scales")
        where = f"scope {spec.subspace.scope}, computed by {subspace.projection.engine}"
        lines.append(f"projection {spec.subspace.projection}, {where}")
    lines += [f"warning: {warning}" for warning in warnings]
    lines.append(f"{run.total} steps of {spec.train.batch_size} x {spec.train.accumulation}, {spec.train.precision}")
    lines.append(f"{result['status']} {result['reason'] or result['stopped']}".strip())
    lines.append(f"train {result['train_score']} select {result['select_score']} eval {result['eval_score']}")
    return "\n".join(lines) + "\n"


def time_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """Measure ``payload["steps"]`` training steps and one evaluation of a run, without recording it.

    Returns ``step_seconds`` (median), ``evaluate_seconds``, ``start_seconds`` (building model and subspace),
    ``peak_memory_bytes`` and ``total_steps``.
    """
    import tempfile

    spec, runtime = from_dict(RunSpec, payload["spec"]), from_dict(Runtime, payload["runtime"])
    use_threads(runtime)
    device = torch.device(runtime.device)
    peak = PeakMemory(device)
    begun = time.monotonic()
    data = load_task(Path(runtime.task_folder))
    model, mover = build(spec, runtime, data)
    data = fitting(data, model)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            model,
            mover,
            data,
            spec,
            device=device,
            folder=Path(folder),
            reseed=seed_world,
            report=report,
            checkpoint_seconds=math.inf,
        )
        mover.write()
        start_seconds = time.monotonic() - begun
        taken = []
        for rows in micro_batches(data, spec, 0):
            before = time.monotonic()
            run.advance(rows)
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(time.monotonic() - before)
            if len(taken) >= payload["steps"]:
                break
        before = time.monotonic()
        run.evaluate()
        evaluate_seconds = time.monotonic() - before
    return {
        "step_seconds": float(numpy.median(taken[1:] or taken)),
        "evaluate_seconds": evaluate_seconds,
        "evaluations": len(run.evaluate_at),
        "start_seconds": start_seconds,
        "total_steps": run.total,
        "peak_memory_bytes": peak.read(),
    }
