"""The driver of pre-training: jobs in slots, side by side, each of which resumes what its folder holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.launch import Launcher
from intdim.launch.jobs import PretrainJob, PretrainProgress, PretrainSummary
from intdim.request import RuntimeRequest

KEPT = "the last state is kept"


def pretrain(
    job: PretrainJob,
    runtime: RuntimeRequest,
    report: Callable[[PretrainProgress], None] = lambda progress: None,
    view: View | None = None,
    launcher: Launcher | None = None,
) -> PretrainSummary:
    """Pre-train one model in one slot, or resume that; the device is found by the slot.

    Args:
        job: what is pre-trained; its ``config.device`` is replaced by the device that is found.
        runtime: where and how it runs.
        report: receives progress.
        view: receives notes, about a worker that died, say.
        launcher: slots to use in place of those of this machine.

    Raises:
        UserError: the request makes no sense; nothing has been written.
        RunFailed: the work broke.
        Interrupted: Ctrl-C; the last state is kept.
    """
    with Session(runtime, view, launcher, kept=KEPT) as session:
        (summary,) = pretrain_all(session, [job], report=lambda number, progress: report(progress))
    return summary


def pretrain_all(
    session: Session,
    jobs: Sequence[PretrainJob],
    *,
    names: Sequence[str] = (),
    report: Callable[[int, PretrainProgress], None] = lambda number, progress: None,
    done: Callable[[int, PretrainSummary], None] = lambda number, summary: None,
) -> list[PretrainSummary]:
    """Pre-train models side by side on the session's device, in the order of ``jobs``.

    Args:
        session: gives the slots.
        jobs: what is pre-trained.
        names: what each job is called in errors.
        report: called with the number of a job and its progress.
        done: called with the number of a job and its summary.

    Raises:
        UserError, RunFailed: the first error of a job.
    """
    session.find_device()
    device = session.pool.device
    placed = [dataclasses.replace(job, config=dataclasses.replace(job.config, device=device)) for job in jobs]

    def progress(number: int, data: dict[str, Any]) -> None:
        report(number, PretrainProgress(**data))

    return session.ask(placed, PretrainSummary, names=names, progress=progress, done=done)
