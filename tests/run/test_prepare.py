"""What preparation refuses: data that the model cannot take, before anything is trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, processors

from intdim.errors import UserError
from intdim.request import CellRequest, ModelRequest
from intdim.run import prepare as preparation
from intdim.run.prepare import prepare
from tests import cells, tiny
from tests.tasks import made


def end_with(folder: Path, end: str) -> None:
    """Let a tokenizer put the end token behind every text, as those of BART and T5 do."""
    teller = Tokenizer.from_file(str(folder / "tokenizer.json"))
    number = teller.token_to_id(end)
    teller.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}", special_tokens=[(end, number)]
    )
    teller.save(str(folder / "tokenizer.json"))


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """A cell of local files; the longest example has 14 words."""
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))

    def build(name: str, words: int = tiny.VOCABULARY, **settings: int) -> CellRequest:
        folder = tiny.save(name, tmp_path / name)
        tiny.save_tokenizer(folder, pad_token="<pad>")
        if name in ("t5", "bart"):
            end_with(folder, "</s>")
        config = json.loads((folder / "config.json").read_text()) | settings
        (folder / "config.json").write_text(json.dumps(config))
        tables = [made.rows(count) for count in (20, 10)]
        for first, table in enumerate(tables):  # even numbers first in training, odd ones in evaluation
            table["text"] = [
                " ".join(f"w{4 + (2 * n + k + first) % (words - 4)}" for k in range(14)) for n in range(len(table))
            ]
        model = ModelRequest(name, "local", "", "main", str(folder), True, 0, {}, False, False)
        task = made.request(made.folder(tmp_path / "data", *tables))
        return dataclasses.replace(cells.cell(), model=model, task=task)

    return build


@pytest.mark.parametrize("name", ["roberta", "xlm-roberta"])
def test_the_last_positions_of_robertas_family_are_none(cell, name):
    assert prepare(cell(name, max_position_embeddings=16)).facts.tokens_per_example == 14  # 16 - padding index 1 - 1
    with pytest.raises(UserError, match=r"has 14 tokens, the model has positions for 13\n"):
        prepare(cell(name, max_position_embeddings=15))


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_the_positions_of_others_are_all_there(cell, name):
    key = {"gpt2": "n_positions"}.get(name, "max_position_embeddings")
    assert prepare(cell(name, **{key: 14})).facts.tokens_per_example == 14
    with pytest.raises(UserError, match=r"the model has positions for 13\n.*\n.*task.max_length to 13"):
        prepare(cell(name, **{key: 13}))


def test_every_architecture_says_how_long_its_input_may_be(tmp_path):
    from tests.models.test_load import load

    said = {name: preparation.longest_input(load(tiny.save(name, tmp_path / name))) for name in tiny.ARCHITECTURES}
    assert said["roberta"] == said["xlm-roberta"] == 512 - tiny.PAD - 1
    assert said["bart"] == 64
    assert said["t5"] == 0, "relative positions have no end"
    assert said["bert"] == said["distilbert"] == said["electra"] == said["albert"] == said["deberta-v2"] == 512


@pytest.mark.parametrize("name", ["bert", "t5", "xlnet", "llama"])
def test_a_tokenizer_that_is_larger_than_the_model_is_refused(cell, name):
    highest = tiny.VOCABULARY - 1
    prepare(cell(name, vocab_size=highest + 1))
    with pytest.raises(
        UserError, match=rf"gives the token {highest}, the model has embeddings for 0 to {highest - 1}\n"
    ):
        prepare(cell(name, vocab_size=highest))
    prepare(cell(name, vocab_size=highest, words=highest))  # the tokens that occur are what counts


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"model_type": "bert", "hidden_size": "large"}'])
def test_a_damaged_configuration_is_not_blamed_on_the_tokenizer(cell, content, tmp_path):
    wanted = cell("bert")
    (tmp_path / "bert" / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"the configuration in .*bert cannot be read"):
        prepare(wanted)
