"""The worker's side of a pre-training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from intdim.launch.base import Report
from intdim.launch.jobs import Note, PretrainJob
from intdim.pretrain.loop import run
from intdim.pretrain.texts import read_corpus
from intdim.spec import from_dict, to_dict


def pretrain_job(payload: dict[str, Any], report: Report) -> dict[str, Any]:
    """The job ``pretrain``: payload a ``PretrainJob``, answer a ``PretrainSummary``; reports ``PretrainProgress``.

    Raises:
        UserError: the corpus or the model cannot be had, or ``out`` holds something else.
        RunFailed: the loss became infinite or NaN, or another process is pre-training in ``out``.
    """
    job = from_dict(PretrainJob, payload)
    if job.config.threads > 1:
        os.environ["TOKENIZERS_PARALLELISM"] = "true"  # a large corpus takes a while; workers have it switched off
    asked = job.corpus
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
