"""The table of jobs, and that what is asked and answered survives the trip through JSON."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from intdim.cli.trajectory import recipe
from intdim.launch import jobs
from intdim.launch.base import find_job
from intdim.launch.jobs import JOBS
from intdim.launch.pool import Pool
from intdim.measurement.program import Measurement
from intdim.request import BoundRequest, Start
from intdim.spec import from_dict, to_dict
from tests import cells

RUNTIME = Pool(cells.runtime(Path("out"))).runtime_for(cells.prepared())
SPEC = Measurement(cells.sweep(), cells.prepared().facts).inside_run(64, 3.0, 0)
ASKED: list[Any] = [
    jobs.RunJob(SPEC, RUNTIME),
    jobs.TimeJob(SPEC, RUNTIME, 8),
    jobs.PrepareJob(cells.cell()),
    jobs.DeviceJob("auto"),
    jobs.CertifyJob("runs/x", RUNTIME, BoundRequest(0.05, (2, 3), ("uniform",), 0), "bounds/x"),
    recipe(),
    dataclasses.replace(recipe(), start=Start(kind="roberta")),
]
ANSWERED = [
    jobs.RunCost(0.1, 1.0, 2, 0.5, 60, 10),
    jobs.Device("cuda", 2, 1 << 30),
    jobs.PretrainSummary(6, 1000, 20, 0.05, "out/final", 100),
]


def test_every_job_is_there_and_takes_a_payload_and_a_report() -> None:
    for where in JOBS.values():
        assert list(inspect.signature(find_job(where)).parameters) == ["payload", "report"]


def test_there_is_a_question_for_every_job() -> None:
    assert {asked.job for asked in ASKED} == set(JOBS)


@pytest.mark.parametrize("one", [*ASKED, *ANSWERED], ids=lambda one: type(one).__name__)
def test_what_is_asked_and_answered_survives_json(one: Any) -> None:
    assert from_dict(type(one), json.loads(json.dumps(to_dict(one)))) == one


def test_progress_may_lack_what_is_not_known_yet() -> None:
    assert jobs.RunProgress(step=3, steps=9) == jobs.RunProgress(3, 9, None, None)
