"""The worker's side of a run: build model, task, subspace; train; rename ``result.json`` into place.

Jobs are plain functions of a JSON payload. ``run_job`` makes one run, ``time_job`` measures what a step costs.
"""

from __future__ import annotations

import math
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy
import torch

from intdim import durable
from intdim.errors import RunFailed, UserError
from intdim.launch.base import Report
from intdim.launch.jobs import Note, RunCost, RunJob, TimeJob
from intdim.ledger.layout import FULL
from intdim.ledger.results import ANSWERS_FILE, Answers, RunResult
from intdim.ledger.store import Ledger
from intdim.models.locate import check_content
from intdim.run.build import Built, build
from intdim.run.gpu import check_precision, is_worth_compiling, own_stream
from intdim.run.machine import PeakMemory, environment, use_threads
from intdim.run.prepare import log_doubts
from intdim.run.replay import EAGER_CALLS
from intdim.run.said import Said, listening
from intdim.run.schedule import micro_batches, total_steps
from intdim.run.seeding import seed_world
from intdim.run.trainable import FullTrainable, SubspaceTrainable
from intdim.run.training import Outcome, Run, train
from intdim.seals import Damaged
from intdim.spec import RunSpec, derive_seed, from_dict, to_dict
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import load_task


def run_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``run``: payload a ``RunJob``, answer a ``RunResult``, which is also on disk.

    Raises:
        RunFailed: something broke; error.txt in the run's folder holds the traceback.
        UserError: the request cannot be carried out (say, d larger than D).
    """
    job = from_dict(RunJob, payload)
    spec, ledger = job.spec, Ledger(Path(job.runtime.out), lambda text: report(to_dict(Note(text))))
    folder = ledger.run_folder(spec.run_id)
    with ledger.claim(folder):
        known = ledger.begin(spec)
        if known is not None:
            return to_dict(known)
        (folder / "error.txt").unlink(missing_ok=True)
        try:
            return to_dict(_run_whole(job, ledger, folder, report))
        except UserError:
            raise
        except Exception as error:
            raise RunFailed(_recorded(error, ledger, folder / "error.txt")) from error


def time_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``time``: payload a ``TimeJob``, answer a ``RunCost``. Nothing is recorded."""
    job = from_dict(TimeJob, payload)
    device = torch.device(job.runtime.device)
    with own_stream(device):
        return to_dict(_cost(job, device, report))


def _cost(job: TimeJob, device: torch.device, report: Report) -> RunCost:
    use_threads(job.runtime, job.spec.threads)
    check_precision(job.spec.train.precision, device)
    peak, begun = PeakMemory(device), time.monotonic()

    built = build(job.spec, job.runtime, load_task(Path(job.runtime.task_folder)))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(
            built,
            job.spec,
            device=device,
            folder=Path(folder),
            reseed=seed_world,
            report=report,
            checkpoint_seconds=math.inf,
        )
        run.trainable.write()
        start_seconds = time.monotonic() - begun

        taken = []
        for rows in micro_batches(run.data, job.spec, 0):
            taken.append(_step_seconds(run, rows))
            if len(taken) >= job.steps:
                break

        before = time.monotonic()
        run.evaluate()
        evaluate_seconds = time.monotonic() - before

    return RunCost(
        step_seconds=float(numpy.median(taken[1:] or taken)),
        evaluate_seconds=evaluate_seconds,
        evaluations=len(run.evaluate_at),
        start_seconds=start_seconds,
        total_steps=run.total,
        peak_memory_bytes=peak.read(),
    )


def _step_seconds(run: Run, rows: list[torch.Tensor]) -> float:
    """Return how long a step takes; on a GPU one that is recorded already."""
    if run.device.type == "cuda":
        for _ in range(EAGER_CALLS + 1):
            run.advance(rows)
        torch.cuda.synchronize()
    before = time.monotonic()
    run.advance(rows)
    if run.device.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - before


def _run_whole(job: RunJob, ledger: Ledger, folder: Path, report: Report) -> RunResult:
    """Make a run; where what it left on disk before turns out to be damaged, set that aside and begin anew, once."""
    with own_stream(torch.device(job.runtime.device)):
        try:
            return _run(job, ledger, folder, report)
        except Damaged as error:
            if error.file.parent != folder:
                raise
            ledger.restart(job.spec.run_id, error)
        return _run(job, ledger, folder, report)


def _run(job: RunJob, ledger: Ledger, folder: Path, report: Report) -> RunResult:
    spec, runtime = job.spec, job.runtime
    use_threads(runtime, spec.threads)
    device = torch.device(runtime.device)
    check_precision(spec.train.precision, device)
    peak = PeakMemory(device)

    data = load_task(Path(runtime.task_folder))
    check_content(Path(runtime.model_folder), spec.model.source, spec.model.fingerprint)
    with listening() as said:
        built = build(spec, runtime, data)
        log_doubts(built.model, data)
    durable.write_json(folder / "environment.json", environment(runtime))

    dropout = derive_seed(spec.seed, "dropout")
    run = Run(
        built,
        spec,
        device=device,
        folder=folder,
        reseed=lambda step: seed_world(derive_seed(dropout, step)),
        report=report,
        checkpoint_seconds=runtime.checkpoint_seconds,
        damaged=lambda error: ledger.set_aside([error.file], f"{error.parts[0]}: the run starts again"),
        compiled=_compiled(runtime.compile, spec, built, device),
    )
    outcome = train(run)

    result = result_of(spec, run, outcome, peak.read())
    _check_answers(run, result)
    durable.write_text(folder / "log.txt", log_text(spec, run, result, said))
    ledger.write_result(result)
    run.checkpoint.drop()
    if spec.subspace.method == "full" and not job.keep_weights:
        run.best_file.unlink(missing_ok=True)
    return result


def _compiled(asked: str, spec: RunSpec, built: Built, device: torch.device) -> bool:
    """Return whether a run's steps are compiled."""
    lengths = built.data.train.lengths
    steps, _ = total_steps(spec.train, len(lengths))
    weights = sum(weight.numel() for weight in built.model.parameters())
    return is_worth_compiling(asked, spec, weights, float(lengths.float().mean()), steps, device)


def _check_answers(run: Run, result: RunResult) -> None:
    """Raise ``Damaged`` unless the answers on disk are those behind the score."""
    if result.failed or result.eval_score is None:
        return
    answers, split = Answers.read(run.folder), run.data.evaluation
    if answers is not None and (answers.step, answers.other_step) == (result.best_step, result.other_step):
        same_labels = numpy.array_equal(answers.labels, split.labels.numpy())
        if same_labels and answers.score(find_metric(result.metric)) == result.eval_score:
            return
    raise Damaged(run.folder / ANSWERS_FILE, "it does not hold the answers behind the score")


def result_of(spec: RunSpec, run: Run, outcome: Outcome, peak_bytes: int) -> RunResult:
    """Return what is recorded of a run; a score that is not a number becomes None."""
    trainable = run.trainable
    full = isinstance(trainable, FullTrainable)
    rate, seen = run.optimiser.rate, run.agreement
    return RunResult(
        run_id=spec.run_id,
        status="failed" if outcome.reason else "done",
        reason=outcome.reason,
        stopped=outcome.stopped,
        d=trainable.d,
        D=trainable.D,
        method=spec.subspace.method,
        projection=spec.subspace.projection,
        step_length=rate * math.sqrt(trainable.d) if full else spec.step_length,
        learning_rate=rate,
        seed=spec.seed,
        train_score=_finite(outcome.train_score),
        eval_score=_finite(outcome.eval_score),
        select_score=_finite(outcome.select_score),
        eval_loss=_finite(outcome.eval_loss),
        half_scores=outcome.half_scores,
        metric=spec.task.metric,
        steps=outcome.steps,
        best_step=outcome.best_step,
        other_step=outcome.other_step,
        seconds=round(outcome.seconds, 3),
        peak_memory_bytes=peak_bytes,
        update_cosine=_finite(seen.cosine) if seen else None,
        update_kept=_finite(seen.kept) if seen else None,
        update_moved=_finite(seen.moved) if seen else None,
    )


def log_text(spec: RunSpec, run: Run, result: RunResult, said: Said) -> str:
    """Return log.txt: which path was taken, what was warned about and what came out, for a reader."""
    lines = [f"run {spec.run_id}: {spec.model.name} on {spec.task.name}, {spec.subspace.method}, seed {spec.seed}"]
    if isinstance(run.trainable, SubspaceTrainable):
        subspace = run.trainable.subspace
        lines.append(f"theta in R^{subspace.D}, d = {subspace.d} of which {subspace.num_groups} scales")
        where = f"scope {spec.subspace.scope}, computed by {subspace.projection.engine}"
        lines.append(f"projection {spec.subspace.projection}, {where}")
    lines += [*said.lines(), *run.notes]
    lines.append(f"{run.total} steps of {spec.train.batch_size} x {spec.train.accumulation}, {spec.train.precision}")
    if run.agreement is not None:
        seen = run.agreement
        said_of_it = f"cosine {seen.cosine:.4f}, {seen.kept:.4f} of its length, {seen.moved:.4f} of the weights moved"
        lines.append(f"of the update the forward pass sees: {said_of_it}")
    lines.append(f"{result.status} {result.reason or result.stopped}".strip())
    lines.append(f"train {result.train_score} select {result.select_score} eval {result.eval_score}")
    return "\n".join(lines) + "\n"


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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
