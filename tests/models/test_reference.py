"""What transformers alone computes is the reference: body and logits, for every architecture, padded and not, single
texts and pairs; and where text holds the token that a head looks for, each text alone is."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers as hf
from torch import nn

from intdim.models.account import find_body
from intdim.models.files import load_tokenizer
from intdim.models.load import Head, load_model
from tests import tiny

TEXTS = ["w4 w5 w6 w7 w8 w9", "w10 w11", "w12 w13 w14"]
PAIRS = ["w20", "w21 w22 w23 w24", "w25 w26"]
DECODERS = ("gpt2", "gpt-neox", "llama")
ROUNDING = {"atol": 1e-6, "rtol": 1e-5}  # weights at other addresses may be summed in another order


def tokenizer_for(name: str, folder: Path, **settings: Any) -> Any:
    """Put a tokenizer with begin and end tokens beside the weights, and load it as we do."""
    settings = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>"} | settings
    tiny.save_tokenizer(folder, **settings)
    made = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    second = 1 if name == "bert" else 0
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", pair=f"<s> $A </s> $B:{second} </s>:{second}", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if name in ("bert", "albert") else [])]
    hf.PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=names, **settings).save_pretrained(folder)
    return load_tokenizer(folder)


def ours(folder: Path, pad: int) -> nn.Module:
    return load_model(
        folder, head=Head(3, "single_label_classification"), overrides={}, random_init=False, trust_remote_code=False,
        gradient_checkpointing=False, seed_world=torch.manual_seed, init_seed=0, head_seed=1, pad_token_id=pad,
    ).eval()  # fmt: skip


def alone(model: nn.Module, folder: Path, **changes: Any) -> nn.Module:
    """The same weights as transformers alone loads them."""
    model.save_pretrained(folder)
    config = hf.AutoConfig.from_pretrained(folder, **changes)
    return hf.AutoModelForSequenceClassification.from_pretrained(folder, config=config, dtype=torch.float32).eval()


def unhooked(model: nn.Module) -> nn.Module:
    """A copy that transformers pools by itself."""
    plain = copy.deepcopy(model)
    for module in plain.modules():
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
        module._forward_hooks_always_called.clear()
    return plain


def run(model: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (last hidden state of the body, logits)."""
    seen: list[torch.Tensor] = []
    handle = find_body(model).register_forward_hook(lambda module, args, output: seen.append(output[0]))
    with torch.no_grad():
        logits = model(**inputs).logits
    handle.remove()
    return seen[-1], logits


@pytest.mark.parametrize("pairs", [False, True], ids=["single", "pair"])
@pytest.mark.parametrize("name", sorted(tiny.ARCHITECTURES))
def test_body_and_logits_are_those_of_transformers_alone(name: str, pairs: bool, tmp_path: Path) -> None:
    tokenizer = tokenizer_for(name, tiny.save(name, tmp_path / "a"))
    model = ours(tmp_path / "a", tokenizer.pad_token_id)
    reference = alone(model, tmp_path / "b")
    body = hf.AutoModel.from_pretrained(tmp_path / "a", dtype=torch.float32).eval()
    rows = [TEXTS, PAIRS] if pairs else [TEXTS]
    padded = dict(tokenizer(*rows, padding=True, return_tensors="pt"))
    assert (padded["attention_mask"] == 0).any()

    hidden, logits = run(model, padded)
    for one, other in zip((hidden, logits), run(reference, padded), strict=True):
        torch.testing.assert_close(one, other, **ROUNDING)
    for one, other in zip((hidden, logits), run(unhooked(model), padded), strict=True):
        assert torch.equal(one, other), "the same numbers as without us, bit for bit"
    decoder = {"decoder_input_ids": model._shift_right(padded["input_ids"])} if hasattr(model, "_shift_right") else {}
    with torch.no_grad():
        torch.testing.assert_close(body(**padded, **decoder)[0], hidden, **ROUNDING)
    for row in range(len(TEXTS)):
        single = dict(tokenizer(*([texts[row]] for texts in rows), return_tensors="pt"))
        torch.testing.assert_close(run(reference, single)[1][0], logits[row], atol=2e-5, rtol=0.0)
        torch.testing.assert_close(run(model, single)[1], run(reference, single)[1], **ROUNDING)


@pytest.mark.parametrize("name", DECODERS)
def test_a_word_as_padding_token_may_end_a_text(name: str, tmp_path: Path) -> None:
    """No token is named, so number 0 pads: here it is also what texts end with. Each text alone is the reference."""
    folder = tiny.save(name, tmp_path / "a")
    tokenizer = load_tokenizer(tiny.save_tokenizer(folder))
    assert tokenizer.pad_token_id == 0
    model = ours(folder, 0)
    reference = alone(model, tmp_path / "b", pad_token_id=None)
    texts = ["w4 w5 w6 <s> <s>", "w7 <s>", "w8 w9 w10"]
    ids = [tokenizer(text, return_tensors="pt")["input_ids"] for text in texts]
    assert [int(row[0, -1]) for row in ids] == [0, 0, 10]
    batch = tokenizer.pad({"input_ids": [row[0].tolist() for row in ids]}, return_tensors="pt")
    logits = run(model, dict(batch))[1]
    for row, tokens in enumerate(ids):
        with torch.no_grad():
            torch.testing.assert_close(reference(input_ids=tokens).logits[0], logits[row], atol=2e-5, rtol=0.0)
    with torch.no_grad():
        fooled = alone(model, tmp_path / "c", pad_token_id=0)(**batch).logits
    assert not torch.allclose(fooled[:2], logits[:2], atol=1e-3), "what a search by the number would have read"


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_end_tokens_within_a_text_are_passed_over(name: str, tmp_path: Path) -> None:
    folder = tiny.save(name, tmp_path / "a")
    tokenizer = tokenizer_for(name, folder)
    model = ours(folder, tokenizer.pad_token_id)
    reference = alone(model, tmp_path / "b")
    texts = ["w4 </s> w6 w7", "w8 w9", "w10 </s> </s> w12 w13"]
    batch = dict(tokenizer(texts, padding=True, return_tensors="pt"))
    with pytest.raises(ValueError, match="same number of <eos>"):
        run(reference, batch)
    logits = run(model, batch)[1]
    for row, text in enumerate(texts):
        single = dict(tokenizer([text], return_tensors="pt"))
        torch.testing.assert_close(run(reference, single)[1][0], logits[row], atol=2e-5, rtol=0.0)


@pytest.mark.parametrize("kind", ["last", "first", "mean"])
@pytest.mark.parametrize("name", ["xlnet"])
def test_a_summary_reads_no_padding(name: str, kind: str, tmp_path: Path) -> None:
    folder = tiny.save(name, tmp_path / "a")
    tokenizer = tokenizer_for(name, folder)
    model = load_model(
        folder, head=Head(3, "single_label_classification"), overrides={"summary_type": kind}, random_init=False,
        trust_remote_code=False, gradient_checkpointing=False, seed_world=torch.manual_seed, init_seed=0, head_seed=1,
        pad_token_id=1,
    ).eval()  # fmt: skip
    reference = alone(model, tmp_path / "b")
    for side in ("left", "right"):
        tokenizer.padding_side = side
        logits = run(model, dict(tokenizer(TEXTS, padding=True, return_tensors="pt")))[1]
        for row, text in enumerate(TEXTS):
            single = dict(tokenizer([text], return_tensors="pt"))
            torch.testing.assert_close(run(reference, single)[1][0], logits[row], atol=2e-5, rtol=0.0)


@pytest.mark.parametrize("name", [*DECODERS, "bart", "t5"])
def test_gradients_are_those_of_transformers_alone(name: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_for(name, tiny.save(name, tmp_path / "a"))
    model = ours(tmp_path / "a", tokenizer.pad_token_id)
    batch = dict(tokenizer(TEXTS, padding=True, return_tensors="pt"))
    labels = torch.tensor([0, 1, 2])
    found = []
    for one in (model, unhooked(model)):
        torch.nn.functional.cross_entropy(one(**batch).logits, labels).backward()
        found.append({key: weight.grad for key, weight in one.named_parameters() if weight.grad is not None})
    assert set(found[0]) == set(found[1])
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


@pytest.mark.parametrize("name", ["llama", "roberta"])
def test_the_configurations_padding_token_is_left_to_the_body(name: str, tmp_path: Path) -> None:
    """RoBERTa counts positions from it on; Llama leaves its embedding untrained. The tokenizer's is another one."""
    folder = tiny.save(name, tmp_path / "a")
    tokenizer = tokenizer_for(name, folder, pad_token="<unk>")
    assert (tokenizer.pad_token_id, ours(folder, 3).config.pad_token_id) == (3, tiny.PAD)
    hidden, _ = run(ours(folder, 3), dict(tokenizer(TEXTS, padding=True, return_tensors="pt")))
    body = hf.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        torch.testing.assert_close(body(**tokenizer(TEXTS, padding=True, return_tensors="pt"))[0], hidden, **ROUNDING)


def test_positional_arguments_and_a_missing_mask(tmp_path: Path) -> None:
    tokenizer = tokenizer_for("llama", tiny.save("llama", tmp_path / "a"))
    model = ours(tmp_path / "a", tokenizer.pad_token_id)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model(**batch).logits
        assert torch.equal(model(batch["input_ids"], batch["attention_mask"]).logits, expected)
        unmasked = batch["input_ids"][:1]
        assert torch.equal(model(unmasked).logits, unhooked(model)(unmasked).logits)
        assert torch.equal(copy.deepcopy(model)(**batch).logits, expected), "a copy pools by itself"
