"""What of a run goes into an artifact: its numbers, whole and finite, or a message that says them coarsely."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import intdim
from intdim.artifacts import file
from intdim.artifacts.contents import read_state
from intdim.artifacts.rebuild import hash_of, theta_0
from intdim.errors import UserError
from intdim.run.checkpoint import save_tensors
from tests import finished_runs


def test_the_coded_form_is_the_message_alone(run, made, folder: Path) -> None:
    header, tensors = file.read(made.coded)
    assert set(tensors) == {"message"}
    assert tensors["message"].numel() == -(-made.message_bits // 8)
    assert (header.message_bits, header.scores) == (made.message_bits, {})
    model = intdim.load(made.coded, base=folder / "base")
    assert hash_of(model) == header.theta
    exact = intdim.load(made.artifact, base=folder / "base").state_dict()
    start = theta_0(header.recipe, folder / "base").state_dict()
    moved = sum(float((weight - start[name]).norm() ** 2) for name, weight in exact.items()) ** 0.5
    apart = sum(float((weight - exact[name]).norm() ** 2) for name, weight in model.state_dict().items()) ** 0.5
    assert 0 < apart < 0.35 * moved
    assert made.z_error < 0.25


def test_a_damaged_z_is_refused(tmp_path: Path) -> None:
    run = finished_runs.make(tmp_path)
    z = run.z_file.read_bytes()
    run.z_file.write_bytes(z[:-3])
    with pytest.raises(UserError, match="is damaged"):
        read_state(run)
    save_tensors(run.z_file, {"z": torch.zeros(run.spec.d - 1)}, {})
    with pytest.raises(UserError, match=f"with {run.spec.d} finite numbers"):
        read_state(run)
    save_tensors(run.z_file, {"z": torch.full((run.spec.d,), torch.nan)}, {})
    with pytest.raises(UserError, match="finite numbers"):
        read_state(run)
