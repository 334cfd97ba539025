"""Pre-training of other architectures than BERT's: checkpoints that load, weights whose training goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, ModernBertConfig

from intdim.errors import UserError
from intdim.models.files import load_tokenizer
from intdim.models.load import Head, load_model
from intdim.pretrain import objectives as masked_lm
from intdim.pretrain.loop import run
from intdim.pretrain.objectives import losses
from intdim.pretrain.packed import Packed
from intdim.pretrain.tokenizer import train_tokenizer
from intdim.request import Start
from tests.pretrain.small import SMALL, interrupted, lines, small_corpus

SHORT = replace(SMALL, steps=3, checkpoint_every=2)
KINDS = ("roberta", "modernbert", "electra", "albert", "distilbert", "deberta-v2", "bert", "xlm-roberta")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus, 150, tmp_path_factory.mktemp("tokenizer"), 32, segments=False)
    return Packed(corpus, tokenizer, window=24, batch_size=8, mask_fraction=0.15, seed=3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_type_with_our_shapes(kind: str, tmp_path: Path) -> None:
    facts = run(small_corpus(), tmp_path, SHORT, start=Start(kind=kind))
    assert facts.padding < 0.05
    for name in ("step-2", "final"):
        folder = tmp_path / name
        model, report = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        assert model.config.model_type == kind
        assert not [key for key in AutoModel.from_pretrained(folder, output_loading_info=True)[1]["missing_keys"]
                    if "pooler" not in key]  # fmt: skip
    tokenizer = load_tokenizer(folder)
    assert "token_type_ids" not in tokenizer("return the array", "of a table")
    assert len(tokenizer) == model.config.vocab_size
    classifier = load_model(
        folder,
        head=Head(2, "single_label_classification"),
        overrides={},
        random_init=False,
        trust_remote_code=False,
        gradient_checkpointing=False,
        seed_world=torch.manual_seed,
        init_seed=0,
        head_seed=0,
        pad_token_id=tokenizer.pad_token_id,
    )
    assert classifier(**tokenizer("return the array", "of a table", return_tensors="pt")).logits.isfinite().all()


@pytest.mark.parametrize("kind", masked_lm.HEADS)
def test_scoring_hidden_places_alone_gives_the_loss_of_scoring_all(
    kind: str, tmp_path: Path, packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = train_tokenizer(small_corpus(), 150, tmp_path, 32, segments=False)
    torch.manual_seed(0)
    model = masked_lm.make_other(Start(kind=kind), asdict(SMALL), tokenizer).eval()
    batch = {name: torch.from_numpy(value) for name, value in next(packed.batches(0, 1)).items()}
    fast = losses(model, batch)["masked_loss"]
    monkeypatch.setattr(masked_lm, "HEADS", {})
    assert torch.allclose(fast, losses(model, batch)["masked_loss"], atol=1e-5)


def test_a_configuration_decides_the_shapes_and_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    config = ModernBertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    config.save_pretrained(tmp_path / "shapes")
    start = Start(config=str(tmp_path / "shapes" / "config.json"))
    run(small_corpus(), tmp_path / "whole", SHORT, start=start)
    with pytest.raises(KeyboardInterrupt), interrupted(2):
        run(small_corpus(), tmp_path / "broken", SHORT, start=start)
    run(small_corpus(), tmp_path / "broken", SHORT, start=start)
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")
    files = [tmp_path / name / "final" / "model.safetensors" for name in ("whole", "broken")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert AutoModel.from_pretrained(tmp_path / "whole" / "final").config.num_hidden_layers == 2
    with pytest.raises(UserError, match=r"another pre-training \(start differ\)"):
        run(small_corpus(), tmp_path / "whole", SHORT, start=Start(kind="roberta"))


def test_going_on_from_weights_keeps_them_and_their_tokenizer(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path / "one", SHORT, start=Start(kind="roberta"))
    before, still = tmp_path / "one" / "final", replace(SHORT, learning_rate=1e-12, weight_decay=0.0)
    run(small_corpus(), tmp_path / "two", still, start=Start(folder=str(before)))
    old, new = (
        AutoModelForMaskedLM.from_pretrained(folder).state_dict() for folder in (before, tmp_path / "two/final")
    )
    assert all(torch.allclose(old[name], new[name], atol=1e-9) for name in old)
    words = "return the array of a table"
    assert load_tokenizer(before)(words) == load_tokenizer(tmp_path / "two" / "final")(words)


def test_going_on_from_a_body_alone_draws_its_head(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path / "one", SHORT)  # BERT's recipe keeps no heads
    start = Start(folder=str(tmp_path / "one" / "final"))
    run(small_corpus(), tmp_path / "two", SHORT, start=start)
    _, report = AutoModelForMaskedLM.from_pretrained(tmp_path / "two" / "final", output_loading_info=True)
    assert not report["missing_keys"]


def refused(start: Start, out: Path, **changes: int) -> str:
    with pytest.raises(UserError) as caught:
        run(small_corpus(), out, replace(SHORT, **changes), start=start)
    assert len(caught.value.parts) <= 3
    assert not out.exists(), "nothing is written"
    return str(caught.value)


def test_what_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "did you mean 'roberta'" in refused(Start(kind="robarta"), out)
    assert "did you mean" in refused(Start(kind="llama"), out)
    assert "cannot read a window of 30 tokens" in refused(Start(kind="roberta"), out, window=30, max_positions=20)
    (tmp_path / "bad.json").write_text("{")
    assert "cannot be read" in refused(Start(config=str(tmp_path / "bad.json")), out)
    (tmp_path / "llama.json").write_text(
        json.dumps({"model_type": "llama", "hidden_size": 8, "num_attention_heads": 2})
    )
    assert "no masked language model can be made" in refused(Start(config=str(tmp_path / "llama.json")), out)
    run(small_corpus(), tmp_path / "one", SHORT, start=Start(kind="bert"))
    bare = Path(shutil.copytree(tmp_path / "one" / "final", tmp_path / "bare"))
    (bare / "model.safetensors").unlink()
    assert "holds no weights" in refused(Start(folder=str(bare)), out)
    (bare / "model.safetensors").write_bytes(b"damaged")
    assert "no masked language model can be made" in refused(Start(folder=str(bare)), out)
