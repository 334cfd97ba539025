"""Certificates are found again, made again where they are damaged, and refused where they make no sense."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from intdim.drivers.bound import certify_run
from intdim.drivers.certificates import bound_id
from intdim.errors import UserError
from intdim.ledger.finished import find_run
from tests import cells
from tests.drivers.certifying import ASKED, Certifying, search


def test_a_certificate_of_one_run_is_kept_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    world = Certifying()
    run = find_run(search(world, tmp_path, (64,), 1).best.certificate.run_id, str(tmp_path))
    run = dataclasses.replace(run, runtime=dataclasses.replace(run.runtime, task_folder=str(tmp_path)))
    found = certify_run(run, ASKED, cells.runtime(tmp_path), launcher=world.launcher())
    assert len(world.certified) == 1
    other = dataclasses.replace(ASKED, delta=0.01)
    assert bound_id(run, other) != found.bound_id
    certify_run(run, other, cells.runtime(tmp_path), launcher=world.launcher())
    assert len(world.certified) == 2
    (found.folder / "certificate.json").write_text("{")
    assert certify_run(run, ASKED, cells.runtime(tmp_path), launcher=world.launcher()) == found
    assert len(world.certified) == 3


def test_a_certificate_is_named_after_what_decides_it(tmp_path: Path) -> None:
    run = find_run(search(Certifying(), tmp_path, (64,), 1).best.certificate.run_id, str(tmp_path))
    model = dataclasses.replace(run.spec.model, gradient_checkpointing=True)
    saving = dataclasses.replace(run, spec=dataclasses.replace(run.spec, model=model))
    elsewhere = dataclasses.replace(run, folder=tmp_path, runtime=dataclasses.replace(run.runtime, threads=7))
    trained = dataclasses.replace(ASKED, finetune_steps=1)
    assert saving.spec.run_id == run.spec.run_id
    assert bound_id(saving, ASKED) == bound_id(elsewhere, ASKED) == bound_id(run, ASKED)
    assert len({bound_id(run, ASKED), bound_id(run, trained), bound_id(saving, trained)}) == 3


def test_data_that_is_gone_and_regressions_are_refused(tmp_path: Path) -> None:
    run = find_run(search(Certifying(), tmp_path, (64,), 1).best.certificate.run_id, str(tmp_path))
    gone = dataclasses.replace(run, runtime=dataclasses.replace(run.runtime, task_folder=str(tmp_path / "gone")))
    with pytest.raises(UserError, match=r"prepared data of run .* is gone"):
        certify_run(gone, ASKED, cells.runtime(tmp_path), launcher=Certifying().launcher())
    scores = dataclasses.replace(
        run.spec, task=dataclasses.replace(run.spec.task, objective="regression", label_names=())
    )
    with pytest.raises(UserError, match="is a regression"):
        certify_run(dataclasses.replace(run, spec=scores), ASKED, cells.runtime(tmp_path))
