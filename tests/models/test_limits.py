"""Configurations that ask for what no model has: an end within two seconds, before memory is asked for."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import transformers

from intdim.errors import UserError
from intdim.models import limits
from intdim.models.files import load_config
from intdim.models.limits import check_memory, machine_memory, read_config, unallocated
from tests import tiny
from tests.models.test_load import load


@pytest.fixture(params=["bert", "llama", "t5"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.save(request.param, tmp_path / request.param)


def write(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize("random_init", [False, True])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("num_hidden_layers", 10**7, "num_hidden_layers asks for 10,000,000 layers"),
        ("num_layers", 10**7, "num_layers asks for 10,000,000 layers"),
        ("n_layer", 10**400, r"n_layer asks for more than 10\^15 layers"),
        ("num_labels", 10**9, "num_labels asks for 1,000,000,000 labels"),
        ("num_local_experts", 10**8, "num_local_experts asks for 100,000,000 experts"),
        ("text_config", {"num_hidden_layers": 10**6}, "num_hidden_layers asks for 1,000,000 layers"),
        ("num_attention_heads", 1e9, "num_attention_heads asks for"),
        ("attention_dropout", 5.0, "attention_dropout is 5"),
        ("hidden_dropout_prob", float("nan"), "hidden_dropout_prob is nan"),
        ("output_hidden_states", "x", "output_hidden_states is 'x'"),
        ("vocab_size", 10**13, "GB of weights, this machine has|cannot be|no classifier"),
        ("hidden_size", 10**8, "GB of weights, this machine has|cannot be|no classifier|lacks"),
    ],
)
def test_absurd_sizes_end_at_once(folder: Path, name: str, value: Any, said: str, random_init: bool) -> None:
    own = {"hidden_size": "d_model"}.get(name, name) if folder.name == "t5" else name
    write(folder, **{own: value})
    begun = time.monotonic()
    with pytest.raises(UserError, match=said) as caught:
        load(folder, random_init=random_init)
    assert time.monotonic() - begun < 2.0
    assert len(caught.value.parts) <= 3


def test_overrides_are_looked_at_too(folder: Path) -> None:
    for name in ("num_hidden_layers", "num_layers"):
        with pytest.raises(UserError, match=r"model\.overrides: num_.*layers asks for 10,000,000 layers"):
            load_config(folder, {name: 10**7})


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"a":' * 100 + "1" + "}" * 100, '{"a": 1', "[1]", "\0", '"x"'],
)
def test_damaged_configurations_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config"):
        read_config(tmp_path)


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_FILE", 100)
    (tmp_path / "config.json").write_text(" " * 101 + "{}")
    with pytest.raises(UserError, match="it has 103 bytes"):
        read_config(tmp_path)


def test_real_sizes_are_let_through() -> None:
    big = transformers.LlamaConfig(hidden_size=8192, num_hidden_layers=80, intermediate_size=28_672, num_labels=5)
    limits.check_overrides(big.to_dict())
    made = unallocated(transformers.BertConfig(), trust_remote_code=False)
    assert made is not None
    assert sum(weight.numel() for weight in made.parameters()) == 109_483_778
    assert all(weight.is_meta for weight in made.parameters())


def test_a_model_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine_memory() > 1 << 28
    monkeypatch.setattr(limits, "machine_memory", lambda: 1 << 28)
    with pytest.raises(UserError, match=r"asks for 0\.4 GB of weights, this machine has 0\.3 GB"):
        check_memory(transformers.BertConfig(), trust_remote_code=False)
