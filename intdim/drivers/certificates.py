"""Certificates of finished runs: found in out/bounds/<bound_id>, or made by workers side by side."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from intdim.coding import CODE_VERSION
from intdim.drivers.session import Session
from intdim.errors import UserError
from intdim.launch.jobs import CertifyJob
from intdim.ledger.certificate import Certificate
from intdim.ledger.finished import FinishedRun
from intdim.request import BoundRequest
from intdim.spec import RunSpec, Runtime, digest, to_dict

BOUND_VERSION = 3  # raised by hand when the same run and request would give another certificate


@dataclass(frozen=True)
class Bound:
    """A certificate and the folder out/bounds/<bound_id> that holds it."""

    certificate: Certificate
    folder: Path

    @property
    def bound_id(self) -> str:
        """The name of the certificate."""
        return self.folder.name


def bound_id(run: FinishedRun, asked: BoundRequest) -> str:
    """Return the name of a certificate: a hash of the run and of everything that decides what is found for it.

    Gradient checkpointing is no part of a run's name, but training under quantisation has dropout with it.
    """
    identity = {"run": run.spec.run_id, "asked": to_dict(asked), "code": CODE_VERSION, "bound": BOUND_VERSION}
    if asked.finetune_steps:
        identity["gradient_checkpointing"] = run.spec.model.gradient_checkpointing
    return digest(identity)


def certify(session: Session, out: Path, runs: list[FinishedRun], asked: BoundRequest) -> list[Bound]:
    """Certify runs side by side, or find their certificates; in the order of the runs.

    Args:
        session: gives the slots.
        out: the results folder that keeps the certificates.
        runs: finished runs.
        asked: how certificates are looked for.

    Raises:
        UserError: a run's data or model are gone or changed.
        RunFailed: the work broke.
    """
    folders = [out / "bounds" / bound_id(run, asked) for run in runs]
    found = {folder: Certificate.read(folder) for folder in folders}

    missing = {folder: run for folder, run in zip(folders, runs, strict=True) if found[folder] is None}
    if missing:
        session.find_device()
        with session.ledger.disk():
            for folder in missing:
                Certificate.make_room(folder, out, session.view.note)
        session.view.note(f"quantising and coding {len(missing)} run{'s' if len(missing) > 1 else ''}")
        jobs = [
            CertifyJob(str(run.folder), _runtime(session, run), asked, str(folder)) for folder, run in missing.items()
        ]
        found |= zip(missing, session.ask(jobs, Certificate), strict=True)

    bounds = []
    for folder in folders:
        certificate = found[folder]
        assert certificate is not None
        bounds.append(Bound(certificate, folder))
    return bounds


def refuse_regression(spec: RunSpec) -> None:
    """Raise ``UserError`` for a task without classes."""
    if spec.task.objective != "classification":
        raise UserError(
            f"{spec.task.name} is a {spec.task.objective}: the bound is on a share of errors, which needs classes",
            "a task with classes",
            "Choose another task or run.",
        )


def _runtime(session: Session, run: FinishedRun) -> Runtime:
    """Return where and how a run's z is worked on here."""
    pool = session.pool
    return dataclasses.replace(
        run.runtime, out=str(run.out), device=pool.device, slots=pool.slots, threads=pool.threads
    )
