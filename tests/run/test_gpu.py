"""What a run needs of a GPU, with a card that is only said to be there."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from intdim.errors import UserError
from intdim.run.gpu import check_precision, is_worth_compiling, own_stream

from .test_training import TRAIN, spec_of

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def test_an_old_card_and_bf16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    check_precision("float32", CUDA)
    check_precision("bf16", CPU)
    with pytest.raises(UserError, match=r"train\.precision=bf16, but Tesla T4 \(compute capability 7\.5\)"):
        check_precision("bf16", CUDA)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    check_precision("bf16-stochastic", CUDA)


def test_which_runs_are_compiled():
    """BERT-base at 32 x 128: from about eleven thousand steps."""
    spec = spec_of(train_spec=replace(TRAIN, batch_size=32))

    def compiled(asked, steps, device=CUDA):
        return is_worth_compiling(asked, spec, 109_483_778, 128.0, steps, device)

    assert not compiled("auto", 10_000)
    assert compiled("auto", 12_000)
    assert compiled("true", 1)
    assert not compiled("false", 10**6)
    assert not compiled("true", 10**6, CPU)


def test_a_cpu_has_no_streams():
    with own_stream(CPU):
        pass


@pytest.mark.gpu
def test_runs_of_a_process_share_a_stream():
    seen = []
    for _ in range(2):
        with own_stream(CUDA):
            seen.append(torch.cuda.current_stream())
    assert seen[0] == seen[1] != torch.cuda.default_stream()
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
