"""Pre-training: masking, segments, exact continuation, checkpoints that load, errors; and the model that is shipped."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from intdim.errors import RunFailed, UserError
from intdim.ledger.store import Ledger
from intdim.models.load import load_model
from intdim.pretrain import loop as pretrain
from intdim.pretrain.loop import PretrainConfig, read_corpus, run
from intdim.pretrain.texts import Corpus
from intdim.pretrain.windows import Windows, train_tokenizer

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "intdim" / "assets" / "tiny"
SMALL = PretrainConfig(
    vocab_size=150,
    hidden_size=16,
    layers=1,
    heads=2,
    intermediate_size=32,
    max_positions=32,
    window=24,
    steps=12,
    batch_size=8,
    learning_rate=1e-2,
    warmup=0.05,
    weight_decay=0.01,
    mask_fraction=0.15,
    checkpoint_every=5,
    embedding_scale=2.0,
    seed=0,
    precision="float32",
    device="cpu",
    threads=1,
)
NOUNS = ["array", "figure", "tensor", "table", "file", "window", "index", "signal"]
VERBS = ["Return", "Close", "Open", "Scale", "Draw", "Read", "Write", "Sort"]


def small_corpus(count: int = 240) -> Corpus:
    words = np.random.default_rng(5)
    titles, texts = [], []
    for number in range(count):
        verb, noun, other = words.choice(VERBS), words.choice(NOUNS), words.choice(NOUNS)
        titles.append(f"{verb} {noun} ( {other} )" if number % 4 else "")
        texts.append(f"{verb} the {noun} that belongs to the {other}, and return number {number} of them.")
    return Corpus("small", titles, texts, ["left" if number % 2 else "right" for number in range(count)])


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    corpus = small_corpus()
    tokenizer = train_tokenizer(corpus, 150, tmp_path_factory.mktemp("tokenizer"), 32)
    return Windows(corpus, tokenizer, window=24, batch_size=8, mask_fraction=0.15, seed=3)


# --- windows and masks ----------------------------------------------------------------------------------------------


def test_masks_hide_15_percent_in_the_proportions_of_the_paper(windows: Windows) -> None:
    plain = chosen = hidden = kept = 0
    for step in range(150):
        chooser = np.random.default_rng(step)
        batch = windows.batch(chooser.permutation(len(windows.pieces))[:32], chooser)
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
    chooser = np.random.default_rng(0)
    others, true = [], 0
    for turn in range(4000):
        row = turn % len(windows.pieces)
        piece = windows.pieces[row].tolist()
        first, second, other = windows.pair(row, chooser)
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


def test_the_vocabulary_is_the_same_each_time(tmp_path: Path) -> None:
    # Left to itself the learner follows hash tables that are seeded anew for each training: four of four differed.
    for name in ("one", "two", "three"):
        train_tokenizer(small_corpus(), 120, tmp_path / name, 32)
    files = {(tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two", "three")}
    assert len(files) == 1


def test_the_tokenizer_lowers_and_makes_pairs(tmp_path: Path) -> None:
    train_tokenizer(small_corpus(), 150, tmp_path, 32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    made = tokenizer("Return the ARRAY", "of a table")
    tokens = tokenizer.convert_ids_to_tokens(made["input_ids"])
    assert tokens[:5] == ["[CLS]", "return", "the", "array", "[SEP]"]
    assert tokens[-1] == "[SEP]"
    assert made["token_type_ids"] == [0] * 5 + [1] * (len(tokens) - 5)
    assert tokenizer.pad_token_id == 0


# --- the run --------------------------------------------------------------------------------------------------------


def interrupting(at: int) -> Callable[[int], None]:
    """A seeder that is called once before the weights and once a step, and stops the run at step ``at``."""
    calls = -1

    def seed_world(seed: int) -> None:
        nonlocal calls
        if calls == at:
            raise KeyboardInterrupt
        calls += 1
        torch.manual_seed(seed)

    return seed_world


def lines(out: Path) -> list[dict[str, float]]:
    found = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain, "REPORT_EVERY", 3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = run(small_corpus(), whole, SMALL, seed_world=torch.manual_seed)
    for at in (
        3,
        7,
        3,
    ):  # after 3 steps, when no state is kept yet; after 7; then after 3 more on top of the state at 5
        with pytest.raises(KeyboardInterrupt):
            run(small_corpus(), broken, SMALL, seed_world=interrupting(at))
    assert (broken / "step-5").exists()
    assert run(small_corpus(), broken, SMALL, seed_world=torch.manual_seed) == facts | {"folder": str(broken / "final")}
    for folder in ("step-5", "step-10", "final"):
        assert (whole / folder / "model.safetensors").read_bytes() == (
            broken / folder / "model.safetensors"
        ).read_bytes()
    assert lines(whole) == lines(broken)
    assert [line["step"] for line in lines(whole)] == [3, 6, 9, 12]


def killed_at_write(number: int, out: Path) -> bool:
    """Pre-train in a child that dies by SIGKILL just before its n-th rename or fsync; False where it ended before."""
    child = os.fork()
    if child == 0:
        calls = 0

        def dying(real: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: object) -> None:
                nonlocal calls
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*arguments)

            return call

        os.replace, os.fsync = dying(os.replace), dying(os.fsync)
        run(small_corpus(), out, replace(SMALL, steps=6, checkpoint_every=2), seed_world=torch.manual_seed)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


def test_killed_at_any_write_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    short = replace(SMALL, steps=6, checkpoint_every=2)
    run(small_corpus(), tmp_path / "whole", short, seed_world=torch.manual_seed)
    kills = 0
    for number in (1, 3, 4, 5, 6, 8, 9, 11, 14):
        kills += killed_at_write(number, tmp_path / "broken")
    assert kills >= 6
    run(small_corpus(), tmp_path / "broken", short, seed_world=torch.manual_seed)
    for name in ("step-2", "step-4", "final"):
        for file in (tmp_path / "whole" / name).iterdir():
            assert file.read_bytes() == (tmp_path / "broken" / name / file.name).read_bytes(), (name, file.name)
    assert lines(tmp_path / "whole") == lines(tmp_path / "broken")
    assert not list((tmp_path / "broken").glob(".*.tmp")), "what a killed writer left is cleared"


def test_a_finished_run_takes_no_step_again(tmp_path: Path) -> None:
    first = run(small_corpus(), tmp_path, SMALL, seed_world=torch.manual_seed)
    assert run(small_corpus(), tmp_path, SMALL, seed_world=interrupting(0)) == first


def test_checkpoints_load_whole_and_are_stored_as_asked(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path, SMALL, seed_world=torch.manual_seed, dtype=torch.float16)
    for folder in ("step-5", "step-10", "final"):
        stored = load_file(tmp_path / folder / "model.safetensors")
        assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
        model, report = AutoModel.from_pretrained(tmp_path / folder, output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["unexpected_keys"]
        assert model.dtype == torch.float32
        assert len(AutoTokenizer.from_pretrained(tmp_path / folder)) == model.config.vocab_size
        assert all(file.stat().st_mode & 0o777 == 0o644 for file in (tmp_path / folder).iterdir())


def test_storing_in_half_precision_leaves_training_alone(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path / "half", SMALL, seed_world=torch.manual_seed, dtype=torch.float16)
    run(small_corpus(), tmp_path / "full", SMALL, seed_world=torch.manual_seed)
    half = load_file(tmp_path / "half" / "final" / "model.safetensors")
    full = load_file(tmp_path / "full" / "final" / "model.safetensors")
    assert all(torch.equal(half[name], full[name].half()) for name in full)


def test_stored_embeddings_are_larger_and_the_function_is_the_same(tmp_path: Path) -> None:
    scaled = replace(SMALL, embedding_scale=8.0)
    run(small_corpus(), tmp_path / "scaled", scaled, seed_world=torch.manual_seed)
    run(small_corpus(), tmp_path / "plain", replace(SMALL, embedding_scale=1.0), seed_world=torch.manual_seed)
    models = [AutoModel.from_pretrained(tmp_path / name / "final").eval() for name in ("scaled", "plain")]
    big, small = (model.state_dict() for model in models)
    moved = {name for name in big if not torch.equal(big[name], small[name])}
    assert moved == {name for name in big if name.endswith("_embeddings.weight")}
    assert all(torch.equal(big[name], 8 * small[name]) for name in moved)
    ids = torch.arange(24).reshape(2, 12)
    outputs = [model(input_ids=ids).last_hidden_state for model in models]
    assert torch.allclose(*outputs, atol=1e-5)


def test_it_learns(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []
    run(small_corpus(), tmp_path, replace(SMALL, steps=200), seed_world=torch.manual_seed, report=seen.append)
    assert seen[-1]["step"] == 200
    assert seen[-1]["masked_loss"] < 0.85 * seen[0]["masked_loss"]
    assert all(line["masked_loss"] > 0 and 0 < line["next_loss"] < 1 for line in seen)


def test_bf16_gives_finite_losses(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []
    config = replace(SMALL, precision="bf16", steps=3)
    run(small_corpus(), tmp_path, config, seed_world=torch.manual_seed, report=seen.append)
    assert 0 < seen[-1]["masked_loss"] < 10


def test_a_diverging_run_fails_and_says_what_to_do(tmp_path: Path) -> None:
    config = replace(SMALL, learning_rate=1e30)
    with pytest.raises(RunFailed, match="lower learning_rate"):
        run(small_corpus(), tmp_path, config, seed_world=torch.manual_seed)
    assert not (tmp_path / "final").exists()


# --- what is refused ------------------------------------------------------------------------------------------------


def test_another_run_in_out_is_refused_and_left_alone(tmp_path: Path) -> None:
    run(small_corpus(), tmp_path, SMALL, seed_world=torch.manual_seed)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for corpus, config in ((small_corpus(), replace(SMALL, seed=1)), (small_corpus(232), SMALL)):
        with pytest.raises(UserError, match="another pre-training"):
            run(corpus, tmp_path, config, seed_world=torch.manual_seed)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}


def test_an_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        run(small_corpus(), tmp_path / "file", SMALL, seed_world=torch.manual_seed)


def test_an_out_with_files_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "mine").write_text("dear to me")
    with pytest.raises(UserError, match="holds final, but no pre-training"):
        run(small_corpus(), tmp_path, SMALL, seed_world=torch.manual_seed)
    assert (tmp_path / "final" / "mine").read_text() == "dear to me"


def test_a_vocabulary_that_the_corpus_does_not_give_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"at most \d+\nSet model.vocab_size=\d+"):
        run(small_corpus(), tmp_path / "out", replace(SMALL, vocab_size=5000), seed_world=torch.manual_seed)
    assert not (tmp_path / "out").exists()


def test_two_processes_do_not_write_into_one_out(tmp_path: Path) -> None:
    with Ledger(tmp_path).claim(tmp_path), pytest.raises(RunFailed, match="another process"):
        run(small_corpus(), tmp_path, SMALL, seed_world=torch.manual_seed)


def test_a_corpus_below_one_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one batch of 8"):
        run(small_corpus(5), tmp_path, SMALL, seed_world=torch.manual_seed)


# --- the built-in corpus and the shipped model ----------------------------------------------------------------------


def test_the_docstring_corpus_is_the_half_that_no_task_uses() -> None:
    from intdim.pretrain import docstrings as corpus
    from intdim.pretrain.held_out import in_a_task

    made = read_corpus("docstrings")
    half = {one.text for one in corpus.docstrings() if corpus.part_of(one.module) == "pretrain"}
    assert set(made.texts) == {text for text in half if not in_a_task(text)}
    assert len(made.titles) == len(made.texts) == len(made.sources) > 10_000


def test_the_shipped_model_is_small_whole_and_open_to_all() -> None:
    files = [file for file in ASSETS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 6_000_000
    stored = load_file(ASSETS / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert 1_000_000 <= sum(tensor.numel() for tensor in stored.values()) <= 4_000_000
    assert all(torch.isfinite(tensor).all() for tensor in stored.values())
    _, report = AutoModel.from_pretrained(ASSETS, output_loading_info=True)
    assert not report["missing_keys"]
    model = load_model(
        ASSETS,
        classes=5,
        overrides={},
        random_init=False,
        trust_remote_code=False,
        gradient_checkpointing=False,
        seed_world=torch.manual_seed,
        init_seed=0,
        head_seed=0,
        pad_token_id=0,
    )
    assert torch.equal(model.bert.pooler.dense.weight, stored["pooler.dense.weight"].float())
    assert len(AutoTokenizer.from_pretrained(ASSETS)) == model.config.vocab_size
    assert (ASSETS / "README.md").exists()


def script() -> ModuleType:
    """The script that makes the shipped model."""
    place = importlib.util.spec_from_file_location("make_tiny", ROOT / "scripts" / "make_tiny.py")
    assert place is not None
    assert place.loader is not None
    made = importlib.util.module_from_spec(place)
    place.loader.exec_module(made)
    return made


def test_the_shipped_model_says_what_made_it() -> None:
    make_tiny, said = script(), (ASSETS / "README.md").read_text(encoding="utf-8")
    assert make_tiny.digests(ASSETS) in said
    assert make_tiny.configuration(make_tiny.CONFIG) in said
    given = yaml.safe_load((ROOT / "conf" / "pretrain.yaml").read_text(encoding="utf-8"))
    typed = {"store": "float16", "device": "cpu", "threads": 1}  # as the script's own text says
    assert "store=float16 device=cpu threads=1``" in make_tiny.__doc__
    values = asdict(make_tiny.CONFIG) | {"store": str(make_tiny.STORE).removeprefix("torch.")}
    assert {name: (given | given["model"] | typed)[name] for name in values} == values


@pytest.mark.slow
def test_a_rehearsal_comes_out_as_shipped() -> None:
    if f"`{read_corpus('docstrings').fingerprint}`" not in (ASSETS / "README.md").read_text(encoding="utf-8"):
        pytest.skip("other versions of Python or of the packages: another corpus")
    before = {file.name: file.read_bytes() for file in ASSETS.iterdir()}
    command = [sys.executable, str(ROOT / "scripts" / "make_tiny.py"), "--rehearse", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "all but the trained numbers is as shipped" in done.stdout
    assert {file.name: file.read_bytes() for file in ASSETS.iterdir()} == before


@pytest.mark.slow
def test_the_shipped_tokenizer_is_the_one_that_its_corpus_gives(tmp_path: Path) -> None:
    corpus = read_corpus("docstrings")
    said = (ASSETS / "README.md").read_text(encoding="utf-8")
    if f"`{corpus.fingerprint}`" not in said:
        pytest.skip("other versions of Python or of the packages: another corpus")
    config = json.loads((ASSETS / "config.json").read_text(encoding="utf-8"))
    train_tokenizer(corpus, config["vocab_size"], tmp_path / "made", config["max_position_embeddings"])
    for file in (tmp_path / "made").iterdir():
        assert file.read_bytes() == (ASSETS / file.name).read_bytes(), file.name
