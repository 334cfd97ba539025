"""Slurm: the recipe of docs/cluster.md goes on after a requeue. On a real Slurm of one node, where it is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.launch import slurm

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "scripts" / "sweep.sbatch"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    why = slurm.missing()
    if why:
        pytest.skip(why)
    with slurm.running(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def finished(out: Path) -> dict[str, int]:
    """When each run ended."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["scancel --batch --signal=TERM", "scontrol requeue"])
def test_a_job_that_is_queued_again_goes_on(cluster: dict[str, str], tmp_path: Path, how: str) -> None:
    out, plain, log = tmp_path / "out", tmp_path / "plain", tmp_path / "log.txt"
    drive = [sys.executable, "-m", "tests.killable", "drive"]
    subprocess.run([*drive, str(plain)], cwd=ROOT, check=True)
    program = tmp_path / "intdim"
    program.write_text(f'#!/bin/bash\necho "$@"\ncd {ROOT}\nexec {" ".join(drive)} {out}\n')
    program.chmod(0o755)
    environment = cluster | {"INTDIM": str(program), "PYTHONPATH": str(ROOT), "STEP_SECONDS": "0.2"}

    words = ["sbatch", "--parsable", "--cpus-per-task=1", "--time=10", f"--output={log}", str(RECIPE)]
    job = slurm.said(environment, *words, "task=mrpc").strip()
    slurm.until(lambda: len(finished(out)) >= 3, tmp_path)
    slurm.said(environment, *how.split(), job)
    slurm.until(lambda: state(environment, job) != "RUNNING", tmp_path)
    before = finished(out)
    assert not list(out.glob("sweeps/*/verdict.json")), "it was interrupted too late to show anything"

    slurm.until(lambda: state(environment, job) in ("COMPLETED", ""), tmp_path, 400.0)
    after = finished(out)
    assert {name: after[name] for name in before} == before, "no finished run is made again"
    verdicts = [next(folder.glob("sweeps/*/verdict.json")).read_bytes() for folder in (out, plain)]
    assert json.loads(verdicts[0]) == json.loads(verdicts[1])
    typed = [line for line in log.read_text().splitlines() if line.startswith("sweep ")]
    assert typed == ["sweep launch.slots=1 launch.threads=1 task=mrpc"] * 2, "the same command, twice"


@pytest.mark.slow
def test_each_cell_of_a_grid_is_a_job(cluster: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="hydra-submitit-launcher is not installed")
    out = tmp_path / "out"
    words = ["sweep", "-m", "experiment=smoke", "seed=0,1", "device=cpu", "offline=true", f"out={out}"]
    words += ["launch.slots=1", "launch.threads=1", "hydra/launcher=submitit_slurm"]
    words += ["hydra.launcher.timeout_min=20", "hydra.launcher.cpus_per_task=1"]
    environment = cluster | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-P", "-m", "intdim", *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seeds = [json.loads(file.read_text())["seed"] for file in out.glob("sweeps/*/spec.json")]
    assert (sorted(seeds), len(list(out.glob("sweeps/*/verdict.json")))) == ([0, 1], 2)
    assert len(list((out / "launcher").rglob("*_submitted.pkl"))) == 2, "two jobs"


def state(environment: dict[str, str], job: str) -> str:
    found = re.search(r"JobState=(\w+)", slurm.said(environment, "scontrol", "show", "job", job))
    return found[1] if found else ""


def test_the_recipe_that_is_shown_is_the_one_that_is_tested() -> None:
    assert f"```text\n{RECIPE.read_text()}```" in (ROOT / "docs" / "cluster.md").read_text()
    assert os.access(RECIPE, os.R_OK)
