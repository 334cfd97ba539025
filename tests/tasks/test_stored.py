"""Tokenised once, stored, loaded: what is in the folder is what the tokenizer would have said."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import intdim.tasks
from intdim import durable
from intdim.errors import UserError
from intdim.tasks import batches, stored, tokens
from intdim.tasks.stored import halves, load_task

from . import made
from .made import folder, pairs, request, rows, tokenizer


def prepared(tmp_path, wanted, kind="bert", key="key"):
    return load_task(made.prepare(wanted, tokenizer(kind), key, tmp_path / "cache"))


def example(split, row):
    first = int(split.offsets[row])
    return split.ids[first : first + int(split.lengths[row])].tolist()


def test_tokens_are_those_of_the_tokenizer(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "CHUNK", 7)  # several chunks
    table = pairs(20)
    data = prepared(tmp_path, request(folder(tmp_path / "data", table, table), text=("first", "second")))
    teller = tokenizer()
    for row, (first, second) in enumerate(zip(table["first"], table["second"], strict=True)):
        expected = teller(first, second)
        assert example(data.train, row) == expected["input_ids"]
        begin = int(data.train.offsets[row])
        assert data.train.types[begin : begin + len(expected["input_ids"])].tolist() == expected["token_type_ids"]
    assert data.train.labels.tolist() == table["label"].tolist()
    assert data.train.ids.dtype == torch.int32
    assert data.train.lengths.dtype == data.train.offsets.dtype == data.train.labels.dtype == torch.int64


def test_batches_are_those_of_the_tokenizer_for_both_padding_sides(tmp_path):
    table = pairs(20)
    table["first"] = [" ".join(["red"] * (n % 6 + 1)) for n in range(20)]
    path = folder(tmp_path / "data", table, table)
    for kind in ("bert", "left"):
        data = prepared(tmp_path, request(path, text=("first", "second")), kind, key=kind)
        made = batches.collate(data.train, torch.arange(20), data.pad_id, "cpu")
        expected = tokenizer(kind)(
            table["first"].tolist(),
            table["second"].tolist(),
            padding=True,
            return_tensors="pt",
            return_token_type_ids=True,
        )
        for name in ("input_ids", "attention_mask", "token_type_ids"):
            assert torch.equal(made[name], expected[name]), (kind, name)


def test_the_spec_is_complete(tmp_path):
    wanted = request(folder(tmp_path / "films"), label_names=("bad", "good"), max_train=12)
    data = prepared(tmp_path, wanted)
    spec = data.spec
    assert (spec.name, spec.source, spec.reference) == ("films", "local", "")
    assert (spec.objective, spec.label_names, spec.metric) == ("classification", ("bad", "good"), "accuracy")
    assert spec.fingerprint == made.read(wanted).fingerprint
    assert (spec.max_train, len(data.train.labels), len(data.evaluation.labels)) == (12, 12, 10)
    assert data.metric.name == "accuracy"
    assert data.pad_id == 0
    assert data.manifest["counts"]["train"]["examples"] == 12
    assert data.manifest["tokens_per_example"] == pytest.approx(float(data.train.lengths.double().mean()), abs=1e-3)


def test_a_single_text_has_no_segments(tmp_path):
    data = prepared(tmp_path, request(folder(tmp_path / "data")))
    assert data.train.types is None
    assert "token_type_ids" not in batches.collate(data.train, torch.tensor([0]), 0, "cpu")


def test_segments_can_be_left_out(tmp_path):
    wanted = request(folder(tmp_path / "data", pairs(8), pairs(8, start=50)), text=("first", "second"))
    data = prepared(tmp_path, wanted)
    assert data.train.types is not None
    without = data.without_types()
    assert without.train.types is None
    assert without.evaluation.types is None
    assert torch.equal(without.train.ids, data.train.ids)


def test_a_tokenizer_without_separators_gets_a_new_line(tmp_path):
    table = pairs(8)
    data = prepared(tmp_path, request(folder(tmp_path / "data", table, table), text=("first", "second")), "plain")
    teller = tokenizer("plain")
    new_line = teller("\n")["input_ids"]
    assert len(new_line) == 1
    expected = teller(table["first"][0])["input_ids"] + new_line + teller(table["second"][0])["input_ids"]
    assert example(data.train, 0) == expected
    assert data.train.types is None


def test_long_texts_are_cut_and_counted(tmp_path):
    table = rows(20)
    table.loc[:4, "text"] = "red " * 50
    data = prepared(tmp_path, request(folder(tmp_path / "data", table), max_length=16))
    assert data.train.lengths.max() == 16
    assert data.manifest["truncated"] == pytest.approx(5 / 20)
    assert data.manifest["counts"]["evaluation"]["truncated"] == 0
    assert example(data.train, 0)[-1] == 3  # the separator survives the cut


def test_of_a_pair_the_longer_text_is_cut_first(tmp_path):
    short = pairs(8)["second"]
    kept = tokenizer()(short[0])["input_ids"]
    for long in ("first", "second"):
        other = "second" if long == "first" else "first"
        table = pairs(8).assign(**{long: "red " * 50, other: short})
        wanted = request(folder(tmp_path / long, table, table), text=("first", "second"), max_length=16)
        made = example(prepared(tmp_path, wanted).train, 0)
        assert len(made) == 16
        assert (made[: len(kept)] == kept) if other == "first" else (made[-len(kept) + 1 :] == kept[1:])


def test_the_tokenizers_own_limit_counts(tmp_path):
    table = rows(20).assign(text="red " * 600)
    data = prepared(tmp_path, request(folder(tmp_path / "data", table), max_length=4096))
    assert data.spec.max_length == 512
    assert data.train.lengths.max() == 512


def test_too_small_a_limit(tmp_path):
    with pytest.raises(UserError, match="leaves no room"):
        prepared(tmp_path, request(folder(tmp_path / "data"), max_length=2))
    assert not (tmp_path / "cache").exists()


def test_a_text_without_tokens(tmp_path):
    table = rows(8)
    wanted = request(folder(tmp_path / "data", table, table, "parquet"))

    class Empty(type(tokenizer())):
        def __call__(self, *texts, **options):
            made = super().__call__(*texts, **options)
            if len(made["input_ids"]) == 8:
                made["input_ids"][4] = []
            return made

    empty = tokenizer()
    empty.__class__ = Empty
    with pytest.raises(UserError, match="row 5 of train has no tokens"):
        made.prepare(wanted, empty, "key", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_tokenizer_without_padding(tmp_path):
    teller = tokenizer()
    teller.pad_token = None
    with pytest.raises(UserError, match="no padding token"):
        made.prepare(request(folder(tmp_path / "data")), teller, "key", tmp_path / "cache")


def test_prepared_once(tmp_path, monkeypatch):
    wanted = request(folder(tmp_path / "data"))
    first = made.prepare(wanted, tokenizer(), "key", tmp_path / "cache")
    assert first.parent == tmp_path / "cache" / "tasks"
    assert sorted(file.name for file in first.iterdir()) == ["data.safetensors", "hashes.json", "manifest.json"]
    before = {file.name: file.read_bytes() for file in first.iterdir()}

    def fail(*args, **kwargs):
        raise AssertionError("tokenised twice")

    with monkeypatch.context() as patch:
        patch.setattr(stored, "tokenise", fail)
        assert made.prepare(wanted, tokenizer(), "key", tmp_path / "cache") == first
    (first / "manifest.json").unlink()  # a crash between the two files
    assert made.prepare(wanted, tokenizer(), "key", tmp_path / "cache") == first
    assert {file.name: file.read_bytes() for file in first.iterdir()} == before


def test_what_decides_the_folder(tmp_path):
    path = folder(tmp_path / "data")
    names = {
        made.prepare(request(path), tokenizer(), "key", tmp_path / "cache"),
        made.prepare(request(path), tokenizer(), "other", tmp_path / "cache"),
        made.prepare(request(path, max_length=20), tokenizer(), "key", tmp_path / "cache"),
        made.prepare(request(path, selection="same"), tokenizer(), "key", tmp_path / "cache"),
        made.prepare(request(path, max_train=10), tokenizer(), "key", tmp_path / "cache"),
        made.prepare(request(folder(tmp_path / "more", rows(30))), tokenizer(), "key", tmp_path / "cache"),
    }
    assert len(names) == 6
    elsewhere = folder(tmp_path / "elsewhere" / "data", kind="parquet")  # another place and format, the same rows
    assert made.prepare(request(elsewhere), tokenizer(), "key", tmp_path / "cache") in names


def test_what_was_said_of_the_rows_is_that_of_the_present_reading(tmp_path):
    words = rows(20).assign(label=["no", "yes"] * 10)
    blanks = words.assign(label=["no ", "yes"] * 10)
    seen = []
    for name, table in (("blanks", blanks), ("plain", words)):
        path = folder(tmp_path / name, table, rows(10, start=100).assign(label=["no", "yes"] * 5))
        data = load_task(made.prepare(request(path, name="same"), tokenizer(), "key", tmp_path / "cache"))
        seen.append((data.spec, data.manifest["data"]["notes"]))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] == ["Blanks around 10 labels were removed."]
    assert seen[1][1] == []


def test_damage_is_noticed(tmp_path):
    wanted = request(folder(tmp_path / "data"))
    stored_at = made.prepare(wanted, tokenizer(), "key", tmp_path / "cache")
    whole = (stored_at / "data.safetensors").read_bytes()
    (stored_at / "data.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged"):
        load_task(stored_at)
    made.prepare(wanted, tokenizer(), "key", tmp_path / "cache")  # written anew
    assert (stored_at / "data.safetensors").read_bytes() == whole
    (stored_at / "manifest.json").write_text('{"spec": ')
    with pytest.raises(UserError, match="damaged"):
        load_task(stored_at)
    made.prepare(wanted, tokenizer(), "key", tmp_path / "cache")
    (stored_at / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        load_task(stored_at)


def test_a_full_disk_leaves_nothing_that_looks_whole(tmp_path, monkeypatch):
    wanted = request(folder(tmp_path / "data"))
    with monkeypatch.context() as patch:
        patch.setattr(
            durable, "write_json", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(OSError, match="No space"):
            made.prepare(wanted, tokenizer(), "key", tmp_path / "cache")
    assert len(prepared(tmp_path, wanted).train.labels) == 20


@pytest.mark.parametrize("count", [4, 5, 101, 408])
def test_halves_are_disjoint_stratified_and_fixed(count):
    labels = (np.random.default_rng(0).random(count) < 0.3).astype(int)
    labels[:2] = (0, 1)
    select, score = halves(labels)
    assert sorted([*select, *score]) == list(range(count))
    assert 0 <= len(select) - len(score) <= 1
    for label in (0, 1):
        assert abs(int((labels[select] == label).sum()) - int((labels[score] == label).sum())) <= 1
    again = halves(labels)
    assert np.array_equal(again[0], select)
    assert np.array_equal(again[1], score)
    assert (np.diff(select) > 0).all()


def test_halves_are_a_random_choice_within_a_class():
    select, _ = halves(np.zeros(1000, dtype=int))
    assert 170 < int((select < 400).sum()) < 230  # expected 200, standard deviation 7.7
    assert len(set(np.diff(select).tolist())) > 3  # not every other row


def test_halves_of_scores_have_the_same_distribution():
    labels = np.random.default_rng(0).random(200) * 5
    select, score = halves(labels)
    assert abs(labels[select].mean() - labels[score].mean()) < 0.05  # a plain random half differs by 0.2


def test_selection_and_chance(tmp_path):
    validation = rows(12, start=50).assign(label=[1] * 9 + [0] * 3)
    train = rows(9).assign(label=[1] * 6 + [0] * 3)
    path = folder(tmp_path / "data", train, validation)
    data = prepared(tmp_path, request(path))
    assert set(data.select_half.tolist()).isdisjoint(data.score_half.tolist())
    assert data.chance == 0.75
    assert data.chance_se == pytest.approx((0.75 * 0.25 / 12) ** 0.5)
    same = prepared(tmp_path, request(path, selection="same"))
    assert same.select_half.tolist() == same.score_half.tolist() == list(range(12))
    assert same.chance == 0.75


def test_regression_is_stored_as_real_numbers(tmp_path):
    table = rows(10).assign(label=[n / 4 for n in range(10)])
    data = prepared(tmp_path, request(folder(tmp_path / "data", table, table), metric="spearman"))
    assert data.spec.objective == "regression"
    assert data.spec.label_names == ()
    assert data.train.labels.dtype == torch.float32
    assert data.train.labels.tolist() == [n / 4 for n in range(10)]
    assert data.chance == 0.0
    assert data.metric(data.train.labels.numpy(), data.train.labels.numpy()) == pytest.approx(1.0)


def test_the_package_is_light():
    heavy = ("torch", "transformers", "datasets", "pandas")
    first = f"import sys, intdim.tasks.metrics; print([name for name in {heavy} if name in sys.modules])"
    assert _printed(first) == "[]"
    assert intdim.tasks.load_task is load_task
    with pytest.raises(AttributeError, match="nothing"):
        intdim.tasks.nothing  # noqa: B018


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
