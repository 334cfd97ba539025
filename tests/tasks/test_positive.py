"""Which class F1 counts as found: chosen or refused, never taken from the alphabet; and then class number 1."""

from __future__ import annotations

import pytest

from intdim.tasks.metrics import METRICS

from . import made
from .made import folder, refused, request, rows


def words(tmp_path, one="attack", other="benign", **changes):
    """12 % of the first class."""
    tables = [
        rows(count, start=start).assign(label=[one if n % 8 == 0 else other for n in range(count)])
        for count, start in ((200, 0), (96, 500))
    ]
    return request(folder(tmp_path, *tables), metric="f1", **changes)


def test_words_without_an_order_are_refused_until_one_is_chosen(tmp_path):
    message = refused(words(tmp_path))
    assert "'attack' (25 rows), 'benign' (175 rows)" in message
    assert "Set task.positive=attack or task.positive=benign." in message
    for positive in ("attack", "benign"):
        found = made.read(words(tmp_path, positive=positive))
        assert found.positive == found.label_names[1] == positive
        share = 12 / 96 if positive == "attack" else 84 / 96
        assert (found.evaluation["label"] == 1).mean() == share
        assert [note for note in found.notes if f"f1 counts the class '{positive}' as found" in note]


def test_f1_is_that_of_the_chosen_class(tmp_path):
    from sklearn.metrics import f1_score

    found = made.read(words(tmp_path, positive="attack"))
    labels = found.evaluation["label"].to_numpy()
    answers = (labels + (labels * 0 + range(len(labels))) % 3 // 2) % 2
    named = [found.label_names[label] for label in labels], [found.label_names[answer] for answer in answers]
    assert METRICS["f1"](answers, labels) == pytest.approx(f1_score(*named, pos_label="attack"), abs=1e-12)


def test_a_given_order_chooses_the_second_class_unless_another_is_chosen(tmp_path):
    found = made.read(words(tmp_path, label_names=("benign", "attack")))
    assert (found.label_names, found.positive) == (("benign", "attack"), "attack")
    same = made.read(words(tmp_path, label_names=("benign", "attack"), positive="attack"))
    assert same.fingerprint == found.fingerprint
    assert same.evaluation["label"].tolist() == found.evaluation["label"].tolist()
    other = made.read(words(tmp_path, label_names=("attack", "benign"), positive="attack"))
    assert other.label_names == ("benign", "attack")
    assert other.evaluation["label"].tolist() == found.evaluation["label"].tolist()


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 0), (-1, 1), ("0", "1"), (0.0, 1.0)])
def test_of_0_and_1_it_is_1(tmp_path, one, other):
    found = made.read(words(tmp_path, one, other))
    assert found.positive == "1"
    assert [note for note in found.notes if "the class '1' as found" in note]
    turned = made.read(words(tmp_path, one, other, positive="0" if one != -1 else "-1"))
    assert turned.label_names[0] == "1"


def test_other_numbers_have_no_order(tmp_path):
    message = refused(words(tmp_path, 1, 2))
    assert "'1' (25 rows), '2' (175 rows)" in message
    assert made.read(words(tmp_path, 1, 2, positive="1")).label_names == ("2", "1")
    assert made.read(words(tmp_path, 1, 2, positive="1.0")).positive == "1"


def test_class_names_of_the_source_have_an_order(tmp_path):
    found = made.read(request(source="builtin", reference="docstrings-kind", metric="f1"))
    assert found.positive == found.label_names[1]


def test_an_unknown_class_is_refused_with_the_known_ones(tmp_path):
    message = refused(words(tmp_path, positive="Attack"))
    assert "task.positive=Attack is none of the classes" in message
    assert "Classes are: attack, benign" in message
    assert "task.positive=attack" in message
    assert '"yes"' in refused(words(tmp_path, "yes", "no", positive="True"))


def test_other_metrics_have_none_and_say_so(tmp_path):
    import dataclasses

    for metric in ("accuracy", "macro_f1", "matthews"):
        wanted = dataclasses.replace(words(tmp_path), metric=metric)
        found = made.read(wanted)
        assert (found.positive, found.label_names) == ("", ("attack", "benign"))
        chosen = made.read(dataclasses.replace(wanted, positive="attack"))
        assert f"task.positive=attack plays no part in {metric}." in chosen.notes
        assert chosen.fingerprint == found.fingerprint
        assert "is none of the classes" in refused(dataclasses.replace(wanted, positive="atack"))


def test_a_positive_class_that_hardly_occurs(tmp_path):
    rare = rows(40, start=500).assign(label=["attack"] + ["benign"] * 39)
    path = folder(tmp_path, rows(40).assign(label=["attack", "benign"] * 20), rare)
    message = refused(request(path, metric="f1", positive="attack"))
    assert "has 1 example of the positive class 'attack'" in message
    assert "one for each half" in message
    same = made.read(request(path, metric="f1", positive="attack", selection="same"))
    assert "Only 1 of 40 evaluation rows are of the positive class 'attack'." in same.warnings
