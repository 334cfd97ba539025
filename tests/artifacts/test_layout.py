"""The outer form of a file accounts for every byte of it; ``test_hostile`` has the forms that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from intdim.artifacts.layout import Layout, parsed, read_layout


def test_a_file_as_safetensors_writes_it(tmp_path: Path) -> None:
    save_file({"z": torch.zeros(3), "message": torch.zeros(5, dtype=torch.uint8)}, tmp_path / "file", {"a": "b"})
    assert read_layout(tmp_path / "file") == Layout(17, {"a": "b"})
    with (tmp_path / "file").open("ab") as file:
        file.write(b"1")
    with pytest.raises(ValueError, match="tensors of 17 bytes in a file of"):
        read_layout(tmp_path / "file")


def test_tables_nest_to_a_depth() -> None:
    table = {"1": {"2": {"3": [{"5": [{"7": 1}]}]}}}
    assert parsed(json.dumps(table)) == table
    with pytest.raises(ValueError, match="nested too deeply"):
        parsed(json.dumps({"0": {"0": table}}))


@pytest.mark.parametrize("text", ["", "1", "null", '"x"', "[1]", "{", '{"a": Infinity}', '{"a": 1, "a": 1}'])
def test_what_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parsed(text)
