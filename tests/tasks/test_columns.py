"""Columns that are found, and those that look like something else and are asked for."""

from __future__ import annotations

import pandas as pd
import pytest

from . import made
from .made import folder, pairs, refused, request, rows

COUNT = 120


def table(**more: object) -> pd.DataFrame:
    return rows(COUNT).assign(**more)


def asked(tmp_path, frame: pd.DataFrame, kind: str = "jsonl", **changes: object) -> str:
    """The message for columns that were not named."""
    return refused(request(folder(tmp_path, frame, frame, kind), text=(), **changes))


N = range(COUNT)
WORDS = ["negative", "positive"]
ODD = {
    "label_text": ([WORDS[n % 2] for n in N], "determines the label: 2 different values in 120 rows"),
    "sentiment": ([["bad", "poor", "good", "fine"][n % 2 * 2 + n % 4 // 2] for n in N], "determines the label"),
    "verdict": ([f"This review sounds rather {WORDS[n % 2]} to me" for n in N], "determines the label"),
    "noisy": ([WORDS[(n + (n % 7 == 0)) % 2] for n in N], "2 different values in 120 rows"),
    "predicted_by": ([f"a sentence number {n} of some length" for n in N], "by its name a prediction"),
    "goldAnswer": ([f"a sentence number {n} of some length" for n in N], "by its name the label again"),
    "doc_id": ([f"a sentence number {n} of some length" for n in N], "by its name an id"),
    "code": ([f"x{n:05d}-{n * 7919 % 977}" for n in N], "looks like an id"),
    "seen": ([f"2024-{n % 12 + 1:02d}-{n % 28 + 1:02d} 10:{n % 60:02d}:00" for n in N], "holds dates"),
    "when": ([f"{n % 28 + 1} March {1990 + n % 30}" for n in N], "holds dates"),
    "amount": ([f"{n + 1},000 €" for n in N], "holds numbers"),
    "where": ([f"https://example.org/{n}" for n in N], "holds addresses or paths"),
    "place": ([f"texts/{n}/part.txt" for n in N], "holds addresses or paths"),
    "tongue": ([["en", "de", "pt-BR"][n % 3] for n in N], "looks like languages: de, en, pt-BR"),
    "origin": (["web"] * COUNT, "the same in all rows"),
    "note": ([f'{{"a": {n}}}' for n in N], "holds JSON"),
    "writer": ([f"Ann Lee {n % 97}" for n in N], "holds no sentences, such as 'Ann Lee 0'"),
    "mixed": ([5 if n == 3 else f"a sentence number {n} of some length" for n in N], "also holds 1 of type int"),
}


@pytest.mark.parametrize("name", list(ODD))
def test_a_column_that_looks_like_something_else_is_asked_for(tmp_path, name):
    values, why = ODD[name]
    message = asked(tmp_path, table(**{name: values}))
    assert f"2 columns hold text: text, {name} (" in message
    assert why in message
    assert "task.text=[text]" in message
    named = made.read(request(folder(tmp_path, table(**{name: values}), rows(20, start=900), "jsonl"), text=("text",)))
    assert named.text == ("text",)


@pytest.mark.parametrize("name", ["label_text", "code", "tongue"])
def test_a_single_column_is_asked_for_as_well(tmp_path, name):
    frame = table(**{name: ODD[name][0]}).drop(columns="text")
    assert f"1 column holds text: {name} (" in asked(tmp_path, frame)


def test_two_columns_of_sentences_are_found(tmp_path):
    frame = pairs(COUNT).rename(columns={"first": "premise", "second": "hypothesis"})
    frame["hypothesis"] = "a " + frame["hypothesis"] + " of them"
    found = made.read(request(folder(tmp_path, frame, frame), text=()))
    assert found.text == ("premise", "hypothesis")
    assert not found.warnings


def test_the_same_text_twice_is_asked_for(tmp_path):
    frame = table()
    frame.insert(1, "lower", frame["text"].str.upper())
    assert "lower (says the same as text)" in asked(tmp_path, frame)


def test_sentences_in_scripts_without_blanks_are_text(tmp_path):
    frame = table(text=[f"这部电影的第{n}集非常好看但是有点长" for n in N])
    assert made.read(request(folder(tmp_path, frame, frame), text=())).text == ("text",)


def test_a_few_sentences_that_repeat_are_a_warning(tmp_path):
    frame = table(text=[f"the day was long and we went on {WORDS[n % 2]}" for n in N])
    found = made.read(request(folder(tmp_path, frame, rows(20, start=900)), text=()))
    assert any("determines the label: 2 different values" in one for one in found.warnings)


def test_a_named_column_that_gives_the_label_away_is_a_warning(tmp_path):
    frame = table(label_text=ODD["label_text"][0])
    path = folder(tmp_path, frame, rows(20, start=900).assign(label_text=["a word", "another"] * 10))
    found = made.read(request(path, text=("text", "label_text")))
    assert [one for one in found.warnings if "'label_text' determines the label" in one]
    assert not made.read(request(path)).warnings


def test_two_columns_of_words_are_found_as_well(tmp_path):
    frame = rows(COUNT).assign(text=[f"red {n}" for n in N], other=[f"blue {n * 7 % 113}" for n in N])
    assert made.read(request(folder(tmp_path, frame, frame), text=())).text == ("text", "other")


def test_sentences_that_stand_there_twice_give_nothing_away(tmp_path):
    frame = pd.concat([rows(60), rows(60)])
    assert not made.read(request(folder(tmp_path, frame, rows(20, start=900)), text=())).warnings


def test_chance_does_not_determine_a_label(tmp_path):
    frame = table(topic=[f"a topic with the number {n // 2 % 8}" for n in N])
    assert made.read(request(folder(tmp_path, frame, frame), text=())).text == ("text", "topic")
    rare = table(topic=[f"a topic with the number {n // 2 % 8}" for n in N]).assign(label=[1, 0] + [0] * 118)
    path = folder(tmp_path / "rare", rare, made.apart(rare))
    assert not made.read(request(path, text=("topic", "text"), selection="same")).warnings


def test_names_of_columns_are_no_commands_to_the_terminal(tmp_path):
    frame = table().rename(columns={"text": "te\x1b[31mxt"})
    message = asked(tmp_path, frame)
    assert "'te\\x1b[31mxt'" in message
    assert "\x1b" not in message
    long = table().rename(columns={"text": "x" * 3000})
    message = asked(tmp_path / "long", long)
    assert "(3000 characters)" in message
    assert max(map(len, message.split("\n"))) < 300
