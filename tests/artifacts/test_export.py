"""``intdim export``: a folder that others can load, the same bytes each time, nothing of others overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import intdim
from intdim.artifacts.export import export
from intdim.artifacts.rebuild import hash_of
from intdim.errors import UserError
from tests import finished_runs, tiny


def test_the_whole_model_loads_without_us(run, made, folder: Path) -> None:
    whole = AutoModelForSequenceClassification.from_pretrained(made.folder)
    assert hash_of(whole) == hash_of(intdim.load(made.artifact, base=folder / "base"))
    assert whole.config.id2label == {0: "no", 1: "yes"}
    assert len(AutoTokenizer.from_pretrained(made.folder)) == tiny.VOCABULARY
    again = export(run, made.artifact, full=True, levels=16)
    assert again == made


def test_the_same_run_gives_the_same_bytes(run, made, tmp_path: Path) -> None:
    other = export(run, tmp_path / "b.safetensors", full=False, levels=16)
    assert other.artifact.read_bytes() == made.artifact.read_bytes()
    assert other.coded.read_bytes() == made.coded.read_bytes()
    assert not (tmp_path / "b").exists()


def test_export_spares_what_is_not_ours(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds files that are not ours"):
        export(run, tmp_path / "a.safetensors", full=True, levels=16)
    assert (tmp_path / "a" / "thesis.tex").exists()
    assert not (tmp_path / "a.safetensors").exists()
    with pytest.raises(UserError, match=r"ends in \.safetensors"):
        export(run, tmp_path / "a", full=False, levels=16)
