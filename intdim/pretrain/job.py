"""The worker's side of a pre-training."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from intdim.launch.base import Report
from intdim.launch.jobs import Note, PretrainJob
from intdim.pretrain.loop import run
from intdim.pretrain.texts import read_corpus
from intdim.spec import from_dict, to_dict

PARALLEL = "TOKENIZERS_PARALLELISM"


def pretrain_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``pretrain``: payload a ``PretrainJob``, answer a ``PretrainSummary``; reports ``PretrainProgress``.

    Raises:
        UserError: the corpus or the model cannot be had, or ``out`` holds something else.
        RunFailed: the loss became infinite or NaN, or another process is pre-training in ``out``.
    """
    job = from_dict(PretrainJob, payload)
    asked = job.corpus
    with _parallel_tokenizers() if job.config.threads > 1 else contextlib.nullcontext():
        summary = run(
            read_corpus(asked.name, asked.path, asked.column, asked.unit),
            Path(job.out),
            job.config,
            report=lambda progress: report(to_dict(progress)),
            dtype=getattr(torch, job.store),
            start=job.start,
            tell=lambda text: report(to_dict(Note(text))),
        )
    return to_dict(summary)


@contextlib.contextmanager
def _parallel_tokenizers() -> Iterator[None]:
    """Let tokenizers use several threads, which is switched off in workers: a large corpus takes a while. Only for as
    long as that takes: a process that forks while they are allowed may hang."""
    before = os.environ.get(PARALLEL)
    os.environ[PARALLEL] = "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PARALLEL]
        else:
            os.environ[PARALLEL] = before
