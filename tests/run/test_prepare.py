"""What preparation refuses: data that the model cannot take, before anything is trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, processors

from intdim.errors import UserError
from intdim.request import CellRequest, ModelRequest
from intdim.run import prepare as preparation
from intdim.run.prepare import prepare
from intdim.tasks.stored import Split, load_task
from tests import cells, finished_runs, tiny
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


def with_text(cell: CellRequest, split: str, row: int, text: str) -> CellRequest:
    """Put a text into a row (from 1) of a split's file."""
    file = Path(cell.task.path) / f"{split}.csv"
    table = pd.read_csv(file)
    table.loc[row - 1, "text"] = text
    table.to_csv(file, index=False)
    return cell


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_an_end_token_in_a_text_is_no_end_token(cell, name):
    wanted = with_text(cell(name), "train", 3, "w4 </s> w5")
    data = load_task(Path(prepare(wanted).facts.task_folder))
    first = int(data.train.offsets[2])
    assert data.train.ids[first : first + int(data.train.lengths[2])].tolist()[-1] == 2
    assert (data.train.ids == 2).sum() == 20


@pytest.mark.parametrize("name", list(tiny.ARCHITECTURES))
def test_control_tokens_of_the_model_are_none_in_texts(cell, name):
    wanted = with_text(cell(name), "train", 3, "w4 <s> w5 </s> <pad> w6")
    data = load_task(Path(prepare(wanted).facts.task_folder))
    first, length = int(data.train.offsets[2]), int(data.train.lengths[2])
    row = data.train.ids[first : first + length - (name in ("bart", "t5"))].tolist()
    assert not {0, 1, 2} & set(row)
    assert [token for token in row if token != 3] == [4, 5, 6]


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_a_row_without_its_end_token_is_named_before_anything_is_trained(cell, name, tmp_path):
    wanted = cell(name)
    tiny.save_tokenizer(tmp_path / name, pad_token="<pad>")
    with pytest.raises(UserError, match=r"row 1 of train does not end with the end token \(token 2\)"):
        prepare(wanted)


def split_of(rows: list[list[int]], numbers: list[int]) -> Split:
    """Tokenised examples with the numbers of their rows."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.tensor([token for row in rows for token in row], dtype=torch.int32)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)[:-1]])
    return Split(ids, offsets, lengths, torch.zeros(len(rows)), None, False, 0, torch.tensor(numbers))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[5, 2], [2, 6, 2]], "row 9 of validation has 2 end tokens, not 1"),
        ([[5, 2], [6, 7]], "row 9 of validation does not end with the end token"),
        ([[5, 2], [6]], "row 9 of validation does not end with the end token"),
    ],
)
def test_the_row_of_the_source_is_named(cell, rows, expected):
    prepared = prepare(cell("bart"))
    data = dataclasses.replace(
        load_task(Path(prepared.facts.task_folder)),
        train=split_of([[4, 2]], [1]),
        evaluation=split_of(rows, [7, 9]),
    )
    with pytest.raises(UserError, match=expected):
        preparation.check_end_tokens(data, 2, "BartForSequenceClassification")


def test_facts_of_the_data_go_with_the_facts_of_the_model(cell):
    facts = prepare(cell("bert", max_position_embeddings=20)).facts
    assert facts.data.text == ("text",)
    assert facts.data.classes == ("0", "1")
    assert (facts.data.truncated, facts.data.median_tokens, facts.data.length_for_1_percent) == (0.0, 14, 14)
    wanted = cell("bert", max_position_embeddings=16)
    short = dataclasses.replace(wanted, task=dataclasses.replace(wanted.task, max_length=8))
    few_to_train, few_to_score, said = prepare(short).facts.data.warnings
    assert "training examples" in few_to_train
    assert "evaluation examples" in few_to_score
    assert said.startswith("100.0% of the examples are longer than task.max_length=8 and were cut; task.max_length=14")


def test_tokens_of_a_configuration():
    config = SimpleNamespace(eos_token_id=[2, 5], bos_token_id=None, pad_token_id=1, sep_token_id=-1)
    assert preparation.control_ids(config) == (1, 2, 5)


def test_a_run_says_in_its_log_what_its_data_makes_doubtful(tmp_path, monkeypatch):
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    wanted = finished_runs.cell(tmp_path)
    short = dataclasses.replace(wanted.task, max_length=5)
    made_run = finished_runs.make(tmp_path, task=short)
    said = (made_run.folder / "log.txt").read_text()
    assert "100.0% of the examples are longer than task.max_length=5 and were cut; task.max_length=7" in said
