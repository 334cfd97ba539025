"""The built-in corpus and the model that is shipped."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from intdim.models.load import Head, load_model
from intdim.pretrain.texts import read_corpus
from intdim.pretrain.tokenizer import train_tokenizer

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "intdim" / "assets" / "tiny"


def test_the_docstring_corpus_is_the_half_that_no_task_uses() -> None:
    from intdim.pretrain import docstrings as corpus
    from intdim.pretrain.held_out import in_a_task

    made = read_corpus("docstrings")
    half = {one.text for one in corpus.docstrings() if corpus.part_of(one.module) == "pretrain"}
    assert set(made.texts) == {text for text in half if not in_a_task(text)}
    assert len(made.titles) == len(made.texts) == len(made.sources) > 10_000


def test_the_shipped_model_is_small_whole_and_open_to_all() -> None:
    files = [file for file in ASSETS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 6_000_000
    stored = load_file(ASSETS / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert 1_000_000 <= sum(tensor.numel() for tensor in stored.values()) <= 4_000_000
    assert all(torch.isfinite(tensor).all() for tensor in stored.values())
    _, report = AutoModel.from_pretrained(ASSETS, output_loading_info=True)
    assert not report["missing_keys"]
    model = load_model(
        ASSETS,
        head=Head(5, "single_label_classification"),
        overrides={},
        random_init=False,
        trust_remote_code=False,
        gradient_checkpointing=False,
        seed_world=torch.manual_seed,
        init_seed=0,
        head_seed=0,
        pad_token_id=0,
    )
    assert torch.equal(model.bert.pooler.dense.weight, stored["pooler.dense.weight"].float())
    assert len(AutoTokenizer.from_pretrained(ASSETS)) == model.config.vocab_size
    assert (ASSETS / "README.md").exists()


def script() -> ModuleType:
    """The script that makes the shipped model."""
    place = importlib.util.spec_from_file_location("make_tiny", ROOT / "scripts" / "make_tiny.py")
    assert place is not None
    assert place.loader is not None
    made = importlib.util.module_from_spec(place)
    place.loader.exec_module(made)
    return made


def test_the_shipped_model_says_what_made_it() -> None:
    make_tiny, said = script(), (ASSETS / "README.md").read_text(encoding="utf-8")
    assert make_tiny.digests(ASSETS) in said
    assert make_tiny.configuration(make_tiny.CONFIG) in said
    given = yaml.safe_load((ROOT / "conf" / "pretrain.yaml").read_text(encoding="utf-8"))
    typed = {"store": "float16", "device": "cpu", "threads": 1}  # as the script's own text says
    assert "store=float16 device=cpu threads=1``" in make_tiny.__doc__
    values = asdict(make_tiny.CONFIG) | {"store": str(make_tiny.STORE).removeprefix("torch.")}
    assert {name: (given | given["model"] | typed)[name] for name in values} == values


@pytest.mark.slow
def test_a_rehearsal_comes_out_as_shipped() -> None:
    if f"`{read_corpus('docstrings').fingerprint}`" not in (ASSETS / "README.md").read_text(encoding="utf-8"):
        pytest.skip("other versions of Python or of the packages: another corpus")
    before = {file.name: file.read_bytes() for file in ASSETS.iterdir()}
    command = [sys.executable, str(ROOT / "scripts" / "make_tiny.py"), "--rehearse", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "all but the trained numbers is as shipped" in done.stdout
    assert {file.name: file.read_bytes() for file in ASSETS.iterdir()} == before


@pytest.mark.slow
def test_the_shipped_tokenizer_is_the_one_that_its_corpus_gives(tmp_path: Path) -> None:
    corpus = read_corpus("docstrings")
    said = (ASSETS / "README.md").read_text(encoding="utf-8")
    if f"`{corpus.fingerprint}`" not in said:
        pytest.skip("other versions of Python or of the packages: another corpus")
    config = json.loads((ASSETS / "config.json").read_text(encoding="utf-8"))
    train_tokenizer(corpus, config["vocab_size"], tmp_path / "made", config["max_position_embeddings"])
    for file in (tmp_path / "made").iterdir():
        assert file.read_bytes() == (ASSETS / file.name).read_bytes(), file.name
