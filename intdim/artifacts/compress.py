"""A trained subspace made short: quantised in many ways, coded, decoded again, and scored as the decoded model.

The worker's side of ``intdim bound``. What is charged for is the message alone (``intdim.coding``): how z was found,
how it was quantised and which of many candidates was kept may depend on the training examples in any way.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from intdim import durable
from intdim.artifacts.base import base_of
from intdim.artifacts.candidates import Scored, quantisations, score, screen, starting_points
from intdim.artifacts.contents import write_coded
from intdim.artifacts.quantised_training import finetune
from intdim.artifacts.scorer import Scorer
from intdim.bounds import catoni, occam_binomial, occam_hoeffding, occam_kl, relative_gap, share_upper, trend
from intdim.coding import encode
from intdim.errors import UserError
from intdim.launch.base import Report
from intdim.launch.jobs import CertifyJob
from intdim.ledger.certificate import Certificate
from intdim.ledger.finished import FinishedRun, find_run
from intdim.request import BoundRequest
from intdim.run.machine import use_threads
from intdim.spec import Runtime, from_dict, to_dict

FINALISTS = 2  # candidates that are scored on all training examples
FIRST_ROUND = 4  # what is trained on gets this part of the steps, the best of it then all steps
FORM = "occam_binomial"  # which bound is the certificate: never above the other Occam forms, on the same event


def certify(run: FinishedRun, runtime: Runtime, settings: BoundRequest, folder: Path, report: Report) -> Certificate:
    """Look for a run's best certificate; write certificate.json, message.bin and model.safetensors to ``folder``.

    Args:
        run: the run.
        runtime: where and how its model is scored.
        settings: what is tried.
        folder: made if it is not there.
        report: receives progress.

    Raises:
        UserError: the task is not a classification: the bound is on a share of errors. Or the run's files are damaged.
    """
    task = run.spec.task
    if task.objective != "classification":
        raise UserError(
            f"{task.name} is a {task.objective} task: a bound on the share of errors needs classes",
            "a task with classes",
            "Choose a run on another task.",
        )
    scorer = Scorer(run, runtime)
    scorer.place(scorer.state)
    unquantised_error = scorer.train_error()

    candidates = quantisations(run.spec, scorer.state, settings)
    ranked = [one.candidate for one in screen(scorer, candidates, unquantised_error, settings.delta)]
    finalists = [score(scorer, candidate, settings.delta) for candidate in ranked[:FINALISTS]]

    if settings.finetune_steps:
        first_steps = max(1, settings.finetune_steps // FIRST_ROUND)
        tuned = [finetune(scorer, start, first_steps, report) for start in starting_points(ranked[0], candidates)]
        first_round = [score(scorer, candidate, settings.delta) for candidate in tuned]
        leader = min(first_round, key=lambda one: one.bound).candidate
        last = finetune(scorer, leader, settings.finetune_steps, report)
        finalists += [*first_round, score(scorer, last, settings.delta)]

    best = min(finalists, key=lambda one: one.bound)
    certificate = certificate_of(scorer, best, unquantised_error, len(candidates), settings.delta)
    message = best.candidate.message
    write_coded(folder / "model.safetensors", message, base_of(run), run)
    durable.write_bytes(folder / "message.bin", encode(message)[0])
    certificate.write(folder)  # last: a folder with a certificate is whole
    return certificate


def certificate_of(
    scorer: Scorer, best: Scored, unquantised_error: float, candidates: int, delta: float
) -> Certificate:
    """Return what is certified of the best candidate, which was scored on all training examples.

    Args:
        scorer: holds the run; the candidate's message is put into its model.
        best: the candidate, its training error and its bound.
        unquantised_error: training error of the run's own z.
        candidates: how many different messages were compared.
        delta: probability with which the certificate may fail.
    """
    spec, data, error, n = scorer.spec, scorer.data, best.error, scorer.n
    message, book = best.candidate.message, best.candidate.message.z.book
    _, bits, account = encode(message)
    scorer.put(message)
    eval_errors, eval_examples = scorer.errors(data.evaluation, data.score_half), len(data.score_half)
    eval_error = eval_errors / eval_examples

    train_labels = data.train.labels
    majority_train = _majority_error(train_labels, train_labels)
    majority_eval = _majority_error(train_labels, data.evaluation.labels)
    bounds = {
        "occam_binomial": occam_binomial(error, bits, n, delta),
        "occam_kl": occam_kl(error, bits, n, delta),
        "occam_hoeffding": occam_hoeffding(error, bits, n, delta),
        "catoni": catoni(error, bits, n, delta, search="best"),
    }
    gap = relative_gap(1.0 - error, 1.0 - eval_error)

    return Certificate(
        run_id=spec.run_id,
        model=spec.model.name,
        model_source="random" if spec.model.random_init else spec.model.source,
        task_source=spec.task.source,
        task=spec.task.name,
        method=spec.subspace.method,
        projection=spec.subspace.projection,
        scope=spec.subspace.scope,
        d=spec.d,
        D=scorer.subspace.D,
        step_length=spec.step_length,
        seed=spec.seed,
        n=n,
        delta=delta,
        bits=bits,
        account={name: round(value, 3) for name, value in account.items()},
        bits_per_coordinate=bits / spec.d,
        quantisation=best.candidate.name,
        levels=best.candidate.levels,
        level_values=[float(value) for value in book.values],
        candidates=candidates,
        train_error=error,
        train_error_unquantised=unquantised_error,
        **bounds,
        majority_error_train=majority_train,
        majority_error_eval=majority_eval,
        eval_error=eval_error,
        eval_examples=eval_examples,
        selection=spec.task.selection,
        eval_bound=share_upper(eval_errors, eval_examples, math.log(delta)),
        relative_gap=gap if math.isfinite(gap) else None,
        trend=trend(spec.d, n),
        certificate=bounds[FORM],
        form=FORM,
        beats_majority=bounds[FORM] < min(majority_train, majority_eval),
    )


def certify_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``certify``: payload a ``CertifyJob``, answer a ``Certificate``, which is also on disk."""
    job = from_dict(CertifyJob, payload)
    folder = Path(job.folder)
    known = Certificate.read(folder)
    if known is not None:
        return to_dict(known)

    run = find_run(job.run, job.runtime.out)
    use_threads(job.runtime, run.spec.threads)  # as the run's name says: they decide how sums round
    return to_dict(certify(run, job.runtime, job.settings, folder, report))


def _majority_error(train_labels: Tensor, labels: Tensor) -> float:
    """Return the error on ``labels`` (N,) of always answering the commonest training label."""
    commonest = int(torch.bincount(train_labels).argmax())
    return float((labels != commonest).double().mean())
