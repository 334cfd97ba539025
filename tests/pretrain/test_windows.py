"""Masked pairs of segments: proportions, what a batch depends on, where second segments come from."""

from __future__ import annotations

import numpy as np
import pytest

from intdim.pretrain.tokenizer import train_tokenizer
from intdim.pretrain.windows import Windows
from tests.pretrain.small import small_corpus


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus, 150, tmp_path_factory.mktemp("tokenizer"), 32)
    return Windows(corpus, tokenizer, window=24, batch_size=8, mask_fraction=0.15, seed=3)


def test_masks_hide_15_percent_in_the_proportions_of_the_paper(windows: Windows) -> None:
    plain = chosen = hidden = kept = 0
    for step in range(150):
        rng = np.random.default_rng(step)
        batch = windows.batch(rng.permutation(len(windows.pieces))[:32], rng)
        ids, places = batch["input_ids"], (batch["rows"], batch["columns"])
        restored = ids.copy()
        restored[places] = batch["tokens"]
        special = np.isin(restored, (windows.pad, windows.cls, windows.sep))
        assert not special[places].any()
        assert (batch["attention_mask"] == (restored != windows.pad)).all()
        plain += int((~special).sum())
        chosen += len(batch["tokens"])
        hidden += int((ids[places] == windows.mask).sum())
        kept += int((ids[places] == batch["tokens"]).sum())
    assert abs(chosen / plain - 0.15) < 0.006  # four standard errors of about 60,000 tokens
    assert abs(hidden / chosen - 0.8) < 0.02
    assert abs(kept / chosen - 0.1) < 0.02


def test_something_is_always_masked(windows: Windows) -> None:
    never = Windows.__new__(Windows)
    never.__dict__ |= windows.__dict__ | {"fraction": 0.0}
    batch = never.batch(np.arange(2), np.random.default_rng(0))
    assert len(batch["tokens"]) == 1


def test_a_batch_depends_on_seed_and_step_alone(windows: Windows) -> None:
    whole = list(windows.batches(0, 70))
    for begin in (1, 37, 69):
        for left, right in zip(windows.batches(begin, 70), whole[begin:], strict=True):
            assert all((left[name] == right[name]).all() for name in left)
    assert not np.array_equal(whole[0]["tokens"], whole[1]["tokens"])


def test_every_window_is_met_once_in_an_epoch(windows: Windows) -> None:
    count = len(windows.pieces) // 8 * 8
    met = np.concatenate(windows._order(0, count))
    assert len(np.unique(met)) == count
    assert not np.array_equal(met, np.concatenate(windows._order(1, count)))


def test_half_of_the_second_segments_come_from_elsewhere_in_the_same_source(windows: Windows) -> None:
    rng = np.random.default_rng(0)
    others, true = [], 0
    for turn in range(4000):
        row = turn % len(windows.pieces)
        piece = windows.pieces[row].tolist()
        first, second, other = windows.pair(row, rng)
        others.append(other)
        assert len(first) >= 3
        assert len(second) >= 1
        assert len(first) + len(second) + 3 <= windows.window
        parts = (first.tolist(), second.tolist())
        inside = [any(piece[at : at + len(part)] == part for at in range(len(piece))) for part in parts]
        if other:
            stranger = parts[inside.index(False)] if not all(inside) else None
            mates = [windows.pieces[mate].tolist() for mate in windows.mates[windows.source[row]]]
            if stranger is not None:
                assert any(mate[at : at + len(stranger)] == stranger for mate in mates for at in range(len(mate)))
        else:
            assert all(inside)
            true += 1
    assert true > 0
    assert abs(np.mean(others) - 0.5) < 0.032  # four standard errors
