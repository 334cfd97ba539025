"""Finished runs of three kinds, and what was exported of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.artifacts.export import ExportSummary, export
from intdim.ledger.finished import FinishedRun
from intdim.spec import SubspaceSpec
from tests import finished_runs

KINDS = {
    "did": {},
    "said": {"subspace": SubspaceSpec("said", "fastfood", "tensor", "module", ("*LayerNorm*",))},
    "random": {"d": 7},
}


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the base model, the data and the results folder."""
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="package", params=sorted(KINDS))
def run(request: pytest.FixtureRequest, folder: Path) -> FinishedRun:
    return finished_runs.make(folder, **KINDS[request.param])


@pytest.fixture(scope="package")
def made(run: FinishedRun, folder: Path) -> ExportSummary:
    return export(run, folder / f"{run.spec.run_id}.safetensors", full=True, levels=16)


@pytest.fixture(scope="package")
def one(folder: Path) -> ExportSummary:
    """One export, of the first kind."""
    return export(finished_runs.make(folder), folder / "one.safetensors", full=False, levels=16)
