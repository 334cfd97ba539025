"""Labels that are one class to a reader and two to a computer: refused with examples, never merged unasked."""

from __future__ import annotations

import decimal

import pandas as pd
import pytest

from intdim.cli.overrides import split

from . import made
from .made import folder, refused, request, rows


def labelled(tmp_path, train, validation=None, kind="jsonl", **changes):
    tables = [
        rows(len(values), start=start).assign(label=pd.Series(values, dtype=object))
        for values, start in ((train, 0), (validation or train, 500))
    ]
    return request(folder(tmp_path, *tables, kind), **changes)


def test_blanks_around_labels_go_and_that_is_said(tmp_path):
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        found = made.read(labelled(tmp_path / kind, ["pos ", "neg", "\xa0pos", "neg"] * 3, ["pos", "neg"] * 4, kind))
        assert found.label_names == ("neg", "pos")
        assert "Blanks around 6 labels were removed." in found.notes
    assert "have no label" in refused(labelled(tmp_path / "blank", ["pos", "neg", "  ", "neg"] * 3))


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ("pos", "Pos", "case"),
        ("positive", "POSITIVE", "case"),
        ("very good", "very  good", "blanks"),
        ("very good", "very\xa0good", "blanks"),
        ("café", "cafe\u0301", "Unicode form"),
        ("ﬁne", "fine", "Unicode form"),
        ("pos", "po\u200bs", "characters that cannot be seen"),
        ("not_good", "not good", "blanks, case or Unicode form"),
        ("not-good", "Not_Good", "blanks, case or Unicode form"),
        ("pos", '"pos"', "blanks, case or Unicode form"),
    ],
)
def test_two_spellings_are_refused_with_examples(tmp_path, one, other, what):
    message = refused(labelled(tmp_path, [one, "neg"] * 8 + [other, "neg"] * 2, [one, "neg"] * 4))
    assert f"labels differ only in {what}: " in message
    assert "(12 rows)" in message
    assert "(2 rows)" in message
    across = refused(labelled(tmp_path / "across", [one, "neg"] * 4, [other, "neg"] * 4))
    assert f"labels differ only in {what}" in across


def test_labels_that_look_alike_are_shown_apart(tmp_path):
    message = refused(labelled(tmp_path, ["café", "neg", "cafe\u0301", "neg"] * 4))
    assert "'cafe\\u0301' (8 rows) and 'caf\\xe9' (8 rows)" in message
    message = refused(labelled(tmp_path / "zero", ["pos", "neg", "pos\u200b", "neg"] * 4))
    assert "'pos' (8 rows) and 'pos\\u200b' (8 rows)" in message
    assert "task.label_names=[...] with 'one | other' for a class" in message


def test_what_the_message_says_to_type_counts_spellings_as_one(tmp_path):
    wanted = labelled(tmp_path, ["pos", "neg", "Pos", "neg"] * 4, ["pos", "neg"] * 4)
    typed = refused(wanted).split("'")[-2]
    assert typed == 'task.label_names=["neg","pos | Pos"]'
    assert split([typed])[1] == [typed]
    merged = made.read(labelled(tmp_path, ["pos", "neg", "Pos", "neg"] * 4, None, label_names=("neg", "pos | Pos")))
    assert merged.label_names == ("neg", "pos")
    assert merged.train["label"].tolist()[:4] == [1, 0, 1, 0]
    apart = made.read(labelled(tmp_path, ["pos", "neg", "Pos", "neg"] * 4, None, label_names=("neg", "pos", "Pos")))
    assert apart.train["label"].tolist()[:4] == [1, 0, 2, 0]


def test_grades_and_signs_are_classes_of_their_own(tmp_path):
    found = made.read(labelled(tmp_path, ["A", "A-", "A+", "C", "C#", "C++"] * 4))
    assert len(found.label_names) == 6


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_leading_zeros_are_not_merged(tmp_path, kind):
    message = refused(labelled(tmp_path, ["0", "1", "0", "01"] * 4, ["0", "1"] * 4, kind))
    assert "labels '1' (8 rows) and '01' (4 rows) are one number in two spellings" in message
    assert "are one number" in refused(labelled(tmp_path / "across", ["00", "01"] * 4, ["0", "1"] * 4, kind))
    always = made.read(labelled(tmp_path / "always", ["01", "02"] * 4, None, kind))
    assert always.label_names == ("1", "2")
    apart = labelled(tmp_path / "apart", ["0", "1", "0", "01"] * 4, None, kind, label_names=("0", "1", "01"))
    assert made.read(apart).train["label"].tolist()[:4] == [0, 1, 0, 2]


def test_other_spellings_of_a_number_are_one_class_and_said(tmp_path):
    found = made.read(labelled(tmp_path, ["0", "1.0", "1", "+0"] * 4, ["0", "1"] * 4))
    assert found.label_names == ("0", "1")
    assert [one for one in found.notes if "'1' and '1.0' are 1" in one]
    assert "are one number" in refused(labelled(tmp_path / "truth", [True, False, 1, 0] * 4))


def test_digits_of_other_scripts_are_words(tmp_path):
    assert "mix numbers and words" in refused(labelled(tmp_path, ["0", "1", "0", "١"] * 4))
    assert "are one" in refused(labelled(tmp_path / "wide", ["0", "1", "0", "01"] * 4))


@pytest.mark.parametrize("names", [("1", "0"), ("1.0", "0")])
def test_numbers_are_the_names_that_spell_them(tmp_path, names):
    for values in ([0.0, 1.0], ["0.0", "1.0"], [0, 1]):
        found = made.read(labelled(tmp_path, values * 4, label_names=names))
        assert found.train["label"].tolist()[:2] == [1, 0]


def test_minus_one_among_its_likes_is_a_label(tmp_path):
    for kind in ("csv", "parquet"):
        three = made.read(labelled(tmp_path / kind, [-1, 0, 1] * 4, None, kind))
        assert three.label_names == ("-1", "0", "1")
        assert three.train["label"].tolist()[:3] == [0, 1, 2]
        assert "Labels below 0 are classes here, as each has its like above 0: -1, 0, 1." in three.notes
    assert made.read(labelled(tmp_path / "two", [-1, 1] * 4)).label_names == ("-1", "1")
    assert made.read(labelled(tmp_path / "five", [-2, -1, 0, 1, 2] * 4)).label_names == ("-2", "-1", "0", "1", "2")
    assert made.read(labelled(tmp_path / "plus", ["-1", "+1"] * 4)).label_names == ("-1", "1")


def test_minus_one_that_hides_a_label_is_none(tmp_path):
    for train, validation in (
        ([0, 1] * 4, [-1] * 8),
        ([-1, 0, 1, 2] * 4, None),
        ([0, 1] * 300 + [-1], [0, 1] * 10 + [-1]),
        ([0, 1] * 4, [-1, 0, 1] * 4),
    ):
        message = refused(labelled(tmp_path, train, validation))
        assert "-1 marks hidden labels" in message
        assert "task.label_names=[-1,0,1]" in message
    named = made.read(labelled(tmp_path, [-1, 0, 1, 2] * 4, label_names=("-1", "0", "1", "2")))
    assert named.train["label"].tolist()[:4] == [0, 1, 2, 3]


def test_minus_one_among_scores_is_doubted(tmp_path):
    found = made.read(labelled(tmp_path, [0.5, 2.0, 3.5, -1] * 4, [0.5, 2.0] * 4, metric="pearson"))
    assert [one for one in found.warnings if "4 labels of train are -1" in one]
    assert not made.read(labelled(tmp_path, [-1, -0.5, 0.5, 1] * 4, metric="pearson")).warnings


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["no", "yes"], ("False", "True")),
        (["en", "de", "no", "fr"], ("en", "de", "False", "fr")),
        ([0, 1], ("False", "True")),
        (["off", "on"], ("False", "True")),
        (["null", "some"], ("None", "some")),
    ],
)
def test_names_that_yaml_read_as_truths_need_quotes(tmp_path, values, names):
    message = refused(labelled(tmp_path, values * 4, label_names=names))
    assert "no label of the data" in message
    assert 'label_names: ["no", "yes"]' in message


def test_truths_that_are_truths(tmp_path):
    found = made.read(labelled(tmp_path, [True, False] * 4, None, "parquet", label_names=("False", "True")))
    assert found.train["label"].tolist()[:2] == [1, 0]


def test_a_label_in_another_case_than_its_name_is_pointed_out(tmp_path):
    message = refused(labelled(tmp_path, ["Pos", "neg"] * 4, label_names=("neg", "pos")))
    assert "not among the 2 classes: Pos" in message
    assert "'pos' differs in case, blanks or Unicode form" in message


def test_decimals_of_parquet(tmp_path):
    table = rows(8).assign(label=[decimal.Decimal("1.00"), decimal.Decimal("2.00")] * 4)
    found = made.read(request(folder(tmp_path / "decimal", table, table, "parquet")))
    assert found.label_names == ("1", "2")
    scores = rows(8).assign(label=[decimal.Decimal("1.25"), decimal.Decimal("2.50")] * 4)
    found = made.read(request(folder(tmp_path / "score", scores, scores, "parquet"), metric="pearson"))
    assert found.train["label"].tolist()[:2] == [1.25, 2.5]


def test_labels_that_are_texts_or_ids(tmp_path):
    assert "(3000 characters)" in refused(labelled(tmp_path / "long", ["x" * 3000, "y"] * 4))
    message = refused(labelled(tmp_path / "steer", ["a\x1b[2Jb", "y"] * 4))
    assert "\\x1b[2J" in message
    assert "\x1b" not in message
    message = refused(labelled(tmp_path / "ids", [f"class {n}" for n in range(40)]))
    assert "40 different values in 40 rows" in message
