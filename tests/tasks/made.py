"""Small tasks and tokenizers made in memory, for the tests of this folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from intdim.errors import UserError
from intdim.request import TaskRequest
from intdim.run.objective import Objective, objective_for
from intdim.tasks import sources
from intdim.tasks.metrics import find_metric
from intdim.tasks.stored import prepare_task

WORDS = ("red", "green", "blue", "cold", "warm", "tree", "house", "river", "stone", "bird")


def request(path: Path | str = "", **changes: Any) -> TaskRequest:
    """A request for local files with one text column, unless changed."""
    plain = TaskRequest(
        name="",
        source="local",
        reference="",
        config="",
        path=str(path),
        version=1,
        text=("text",),
        label="label",
        label_names=(),
        objective="auto",
        metric="accuracy",
        max_length=32,
        train_split="train",
        eval_split="validation",
        max_train=0,
        max_eval=0,
        selection="half",
    )
    return dataclasses.replace(plain, **changes)


def rows(count: int, classes: int = 2, start: int = 0) -> pd.DataFrame:
    """Distinct texts; labels go round the classes."""
    texts = [f"{WORDS[n % 10]} {WORDS[(n // 10 + n) % 10]} number {n}" for n in range(start, start + count)]
    return pd.DataFrame({"text": texts, "label": [n % classes for n in range(count)]})


def objective_of(wanted: TaskRequest) -> Objective:
    """The objective that preparation would choose."""
    return objective_for(wanted.objective, find_metric(wanted.metric).needs)


def read(wanted: TaskRequest) -> sources.Tables:
    """The rows of a request, read as its objective says."""
    return sources.read(wanted, objective_of(wanted))


def prepare(wanted: TaskRequest, tokenizer: Any, key: str, cache: Path) -> Path:
    """The folder of a prepared task."""
    return prepare_task(wanted, tokenizer, key, cache, objective_of(wanted))


def refused(wanted: TaskRequest) -> str:
    """The message with which a request is refused; it has at most three lines."""
    with pytest.raises(UserError) as caught:
        read(wanted)
    assert len(str(caught.value).split("\n")) <= 3
    return str(caught.value)


def pairs(count: int, start: int = 0) -> pd.DataFrame:
    table = rows(count, start=start).rename(columns={"text": "first"})
    table.insert(1, "second", [f"{WORDS[(3 * n) % 10]} {n}" for n in range(count)])
    return table


def write(folder: Path, name: str, table: pd.DataFrame) -> Path:
    """Write ``name`` (train.csv, ...) in the format its ending says."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    if file.suffix == ".csv":
        table.to_csv(file, index=False)
    elif file.suffix == ".tsv":
        lines = ["\t".join(table.columns), *("\t".join(map(str, row)) for row in table.itertuples(index=False))]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    elif file.suffix == ".jsonl":
        records = table.to_dict("records")
        file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    else:
        table.to_parquet(file)
    return file


def folder(
    path: Path, train: pd.DataFrame | None = None, validation: pd.DataFrame | None = None, kind: str = "csv"
) -> Path:
    """A folder with both splits: 20 and 10 examples of two classes, unless given. One table given for both becomes
    two with the same labels and other texts, since a split that was trained on is refused."""
    if validation is not None and validation is train:
        validation = apart(train)
    write(path, f"train.{kind}", rows(20) if train is None else train)
    write(path, f"validation.{kind}", rows(10, start=100) if validation is None else validation)
    return path


def apart(table: pd.DataFrame, label: str = "label") -> pd.DataFrame:
    """The same rows with another last word in every text that is not blank."""

    def other(value: Any) -> Any:
        return f"{value} apart" if isinstance(value, str) and value.strip() else value

    return table.assign(**{name: table[name].map(other).astype(object) for name in table.columns if name != label})


def tokenizer(kind: str = "bert") -> PreTrainedTokenizerFast:
    """``bert``: [CLS] a [SEP] b [SEP] with segment numbers; ``left``: the same, padding on the left; ``plain``: words
    alone, as GPT-2 does."""
    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\n", *WORDS, "number"])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if kind == "plain":
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Split("\n", "isolated")]
        )
    else:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (kind != "plain")
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_input_names=names,
        padding_side="left" if kind == "left" else "right",
        model_max_length=512,
    )
