"""A model as an object: what a folder holds of it is the same model, and what it cannot hold is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf

from intdim.errors import UserError
from intdim.fingerprint import fingerprint_folder
from intdim.given.models import check_model, write_model
from tests import tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tiny.save_tokenizer(tmp_path_factory.mktemp("tokenizer"), pad_token="<pad>", unk_token="<unk>")
    return hf.AutoTokenizer.from_pretrained(folder)


def classifier(name: str = "bert", head: int = 0) -> Any:
    """Return a classifier whose body is always the same; ``head`` seeds its head."""
    kind, _, options = tiny.ARCHITECTURES[name]
    config = kind(vocab_size=tiny.VOCABULARY, pad_token_id=tiny.PAD, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = hf.AutoModelForSequenceClassification.from_config(config)
        torch.manual_seed(head)
        for weight in (getattr(model, "classifier", None) or model.score).parameters():
            torch.nn.init.normal_(weight)
    return model


def content(model: Any, tokenizer: Any, folder: Path) -> str:
    folder.mkdir()
    check_model(model, tokenizer)
    write_model(model, tokenizer, folder)
    return fingerprint_folder(folder)


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_the_body_decides_and_the_head_does_not(name: str, tokenizer: Any, tmp_path: Path) -> None:
    model = classifier(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = content(model, tokenizer, tmp_path / "first")
    assert content(model, tokenizer, tmp_path / "again") == first
    assert content(classifier(name, head=1), tokenizer, tmp_path / "head") == first
    tokenizer(["w5 w6", "w7"], padding=True, truncation=True, max_length=3)
    assert content(model, tokenizer, tmp_path / "used") == first, "a tokenizer that was used is the same"
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())

    read = hf.AutoModel.from_pretrained(tmp_path / "first").state_dict()
    body = model.base_model.state_dict()
    assert set(read) == set(body)
    assert all(torch.equal(read[key], body[key]) for key in body)
    with torch.no_grad():
        next(model.base_model.parameters())[0, 0] += 1
    assert content(model, tokenizer, tmp_path / "other") != first


def test_half_precision_is_kept_as_it_is(tokenizer: Any, tmp_path: Path) -> None:
    model = classifier().bfloat16()
    content(model, tokenizer, tmp_path / "bf16")
    read = hf.AutoModel.from_pretrained(tmp_path / "bf16", dtype=torch.float32).state_dict()
    assert all(torch.equal(read[key], value.float()) for key, value in model.base_model.state_dict().items())


class Tabular(hf.BertForSequenceClassification):
    """A classifier that reads a table besides."""

    def forward(self, input_ids: Any, attention_mask: Any, features: Any) -> Any:  # type: ignore[override]
        return super().forward(input_ids, attention_mask)


class Renamed(hf.BertForSequenceClassification):
    """A class of the user's own."""


def changed(change: Any) -> Any:
    model = classifier()
    change(model)
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: torch.nn.Linear(2, 2), "Linear, which is no model of transformers"),
        (lambda: Tabular(classifier().config), "Tabular needs features"),
        (lambda: Renamed(classifier().config), "a class of .*test_models"),
        (lambda: hf.ViTForImageClassification(hf.ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
                                                           intermediate_size=8, image_size=16)), "needs pixel_values"),
        (lambda: classifier().to("meta"), "on the device meta"),
        (lambda: classifier().double(), "in float64"),
        (lambda: changed(lambda m: m.bert.encoder.requires_grad_(False)), "are frozen"),
        (lambda: changed(lambda m: setattr(m.bert, "more", torch.nn.Linear(2, 2))), "bert.more.bias"),
        (lambda: changed(lambda m: m.bert.register_forward_hook(lambda *a: None)), "a hook on bert"),
        (lambda: changed(lambda m: setattr(m, "forward", lambda input_ids: None)), "a forward of its own"),
    ],
)  # fmt: skip
def test_what_a_folder_cannot_hold_is_refused(make: Any, words: str, tokenizer: Any) -> None:
    with pytest.raises(UserError, match=words) as error:
        check_model(make(), tokenizer)
    assert len(str(error.value).splitlines()) <= 3


def test_a_tokenizer_is_needed() -> None:
    for wrong, words in ((None, "without tokenizer="), (copy, "with a module as tokenizer=")):
        with pytest.raises(UserError, match=words):
            check_model(classifier(), wrong)


@pytest.mark.gpu
def test_a_model_on_a_gpu_is_the_same_model(tokenizer: Any, tmp_path: Path) -> None:
    first = content(classifier(), tokenizer, tmp_path / "cpu")
    assert content(classifier().cuda(), tokenizer, tmp_path / "cuda") == first
