"""Simulated runs that can be certified, and the search of a cell over them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.bounds import occam_binomial
from intdim.drivers.bound import Found, SearchRequest, certify_cells
from intdim.launch import InProcess
from intdim.launch.jobs import CertifyJob, RunJob
from intdim.ledger.finished import find_run
from intdim.ledger.store import Ledger
from intdim.request import BoundRequest
from intdim.spec import RunSpec, from_dict, to_dict
from tests import cells
from tests.certificates import certificate

ASKED = BoundRequest(0.05, (2, 3), ("uniform",), 0)
N = 8000


class Certifying(cells.Simulated):
    """Simulated runs with a folder as a worker leaves it, and certificates that follow from d and the score."""

    def __init__(self, best_seed: int | None = None, **shape: float) -> None:
        super().__init__(**shape)
        self.certified: list[str] = []
        self.best_seed = best_seed

    def launcher(self) -> InProcess:
        jobs = {"run": self.run, "prepare": self.prepare, "device": self.device, "certify": self.certify}
        return InProcess(jobs)

    def prepare(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        made = cells.prepared()
        return to_dict(dataclasses.replace(made, facts=dataclasses.replace(made.facts, train_examples=N)))

    def score(self, spec: RunSpec) -> float:
        return 0.99 if spec.seed == self.best_seed else super().score(spec)

    def run(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        job = from_dict(RunJob, payload)
        folder = Ledger(Path(job.runtime.out)).run_folder(job.spec.run_id)
        durable.write_json(folder / "environment.json", {"runtime": to_dict(job.runtime)})
        durable.write_bytes(folder / "z.safetensors", b"z")
        return super().run(payload, report)

    def certify(self, payload: dict[str, Any], report: Any) -> dict[str, Any]:
        job = from_dict(CertifyJob, payload)
        run = find_run(job.run, "")
        self.certified.append(run.spec.run_id)
        assert run.result.train_score is not None
        error, bits = 1 - run.result.train_score, 30 + 2 * run.spec.d
        bound = occam_binomial(error, bits, N, job.settings.delta)
        found = certificate(
            run_id=run.spec.run_id, d=run.spec.d, seed=run.spec.seed, step_length=run.spec.step_length, bits=bits,
            train_error=error, quantisation="made up", certificate=bound,
        )  # fmt: skip
        found.write(Path(job.folder))
        return to_dict(found)


def search(world: Certifying, folder: Path, dimensions=(), max_runs: int = 20, **changes: Any) -> Found:
    (found,) = certify_cells(
        [cells.cell(**changes)], ASKED, SearchRequest(tuple(dimensions), max_runs), cells.runtime(folder),
        launcher=world.launcher(),
    )  # fmt: skip
    return found
