"""A training is interrupted and what it left is damaged: the same command ends with the same bits, and says what it set
aside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from intdim.launch.jobs import RunJob
from intdim.ledger.store import Ledger
from intdim.run import execute
from intdim.run.checkpoint import Checkpoint, load_tensors
from intdim.run.training import Run
from intdim.spec import Runtime, from_dict, to_dict
from tests import tiny
from tests.ledger.damage import WAYS
from tests.run.test_training import KINDS, TRAIN, data  # noqa: F401

STOP = 20  # steps after which it is interrupted: 2 evaluations of 3 have been made
CHECKPOINT, BEST, ANSWERS = "checkpoint.safetensors", "best", "eval.safetensors"


class Interrupted(BaseException):
    pass


class World:
    """One run made whole, and interrupted half-way, in two ledgers; and another run, interrupted."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.model = folder, tiny.save("bert", folder / "model")
        self.spec, self.best = (
            tiny.named_after(KINDS[kind], self.model),
            "best.safetensors" if kind == "full" else "z.safetensors",
        )
        other = KINDS["said" if kind == "did" else "did"] if kind != "full" else KINDS["did"]
        other = tiny.named_after(other, self.model)
        self.whole, _ = self.run(folder / "whole", self.spec)
        for out, spec in ((folder / "broken", self.spec), (folder / "foreign", other)):
            self.interrupt(out, spec)
        self.foreign = Ledger(folder / "foreign").run_folder(other.run_id)

    def run(self, out: Path, spec: Any) -> tuple[dict[str, Any], list[str]]:
        """Make the run; return its result without what it cost, and the lines that were said."""
        lines: list[str] = []
        setting = Runtime(str(out), "cpu", 1, torch.get_num_threads(), str(self.model), str(self.folder), 0.0)
        payload = to_dict(RunJob(spec, setting))
        found = execute.run_job(payload, lambda facts: lines.append(facts["note"]) if "note" in facts else None)
        return {name: value for name, value in found.items() if name not in ("seconds", "peak_memory_bytes")}, lines

    def interrupt(self, out: Path, spec: Any) -> None:
        real = Run.advance

        def stopping(run: Run, rows: Any) -> None:
            if run.step == STOP:
                raise Interrupted
            real(run, rows)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "advance", stopping)
            patch.setattr(Checkpoint, "due", lambda checkpoint: True)
            with pytest.raises(Interrupted):
                self.run(out, spec)

    def files(self, out: Path) -> dict[str, bytes]:
        """Return what a finished run is remembered by."""
        folder = Ledger(out).run_folder(self.spec.run_id)
        return {file.name: file.read_bytes() for file in folder.glob("*.safetensors")}


@pytest.fixture(scope="module", params=["did", pytest.param("full", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: Any) -> Any:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "load_task", lambda folder: data)
        yield World(tmp_path_factory.mktemp("world"), request.param)


def rewritten(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Callable[[Path, Path], None]:
    """Write a file of tensors again with its tensors and its seal changed."""

    def damage(file: Path, other: Path) -> None:
        tensors, metadata = load_tensors(file)
        seal = json.loads(metadata["sealed"])
        change(tensors, seal)
        save_file(tensors, file, metadata={"sealed": json.dumps(seal)})

    return damage


def without_facts(file: Path, other: Path) -> None:
    save_file(load_tensors(file)[0], file)


def facts_of(text: str) -> Callable[[Path, Path], None]:
    return rewritten(lambda tensors, seal: seal.update(facts=text))


def one_of(tensors: dict[str, Any]) -> str:
    return sorted(tensors)[0]


TENSORS: dict[str, Callable[[Path, Path], object]] = {
    "no facts": without_facts,
    "facts that are no JSON": facts_of("{torn"),
    "facts that are a list": facts_of("[1]"),
    "facts without a step": facts_of("{}"),
    "facts of words": facts_of('{"step": "many"}'),
    "facts nested too deeply": facts_of("[" * 100_000),
    "another owner": rewritten(lambda tensors, seal: seal.update(owner="0123456789abcdef")),
    "another shape": rewritten(lambda tensors, seal: tensors.update({one_of(tensors): torch.zeros(3, 2)})),
    "another type": rewritten(lambda tensors, seal: tensors.update({one_of(tensors): torch.zeros(3).double()})),
    "a tensor less": rewritten(lambda tensors, seal: tensors.pop(one_of(tensors))),
    "a tensor more": rewritten(lambda tensors, seal: tensors.update(other=torch.zeros(3))),
    "other numbers": rewritten(lambda tensors, seal: tensors[one_of(tensors)].flatten()[:1].add_(1)),
    "a header too long": lambda file, other: file.write_bytes(b"\xff" * 8 + file.read_bytes()[8:]),
    "a bit of the header": lambda file, other: file.write_bytes(
        file.read_bytes()[:40] + bytes([file.read_bytes()[40] ^ 1]) + file.read_bytes()[41:]
    ),
}
CASES = [
    *((CHECKPOINT, how) for how in (WAYS | TENSORS)),
    *(
        (BEST, how)
        for how in (*WAYS, "no facts", "facts without a step", "another owner", "another shape", "a tensor less")
    ),
    *((ANSWERS, how) for how in WAYS),
    *(("metrics.jsonl", how) for how in WAYS if how not in ("cut", "a flipped bit", "of another", "missing")),
]


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_damaged_run_under_way(world: World, tmp_path: Path, name: str, how: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.folder / "broken", out)
    name = world.best if name == BEST else name
    folder = Ledger(out).run_folder(world.spec.run_id)
    file, other = folder / name, world.foreign / ("z.safetensors" if name == world.best else name)
    (WAYS | TENSORS)[how](file, other)

    found, lines = world.run(out, world.spec)
    assert found == world.whole
    assert world.files(out) == world.files(world.folder / "whole")

    expected = (name, how) not in ((CHECKPOINT, "missing"), ("metrics.jsonl", "empty"), ("metrics.jsonl", "no UTF-8"))
    assert any(str(file) in line for line in lines) == expected, lines
    if expected and how != "missing":
        assert name in [entry for _, folders, files in os.walk(out / "damaged") for entry in folders + files]
    assert world.run(out, world.spec) == (world.whole, [])


def test_an_undamaged_run_resumes_and_says_nothing(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.folder / "broken", tmp_path / "out")
    steps: list[int] = []
    real = Run.advance
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "advance", lambda run, rows: steps.append(run.step) or real(run, rows))
        assert world.run(tmp_path / "out", world.spec) == (world.whole, [])
    assert steps[0] == STOP
    assert world.files(tmp_path / "out") == world.files(world.folder / "whole")


def test_the_steps_that_are_left_need_the_files_of_the_best(world: World) -> None:
    """What the cases rest on: at the interruption there is a best step, with its files."""
    folder = Ledger(world.folder / "broken").run_folder(world.spec.run_id)
    for name in (CHECKPOINT, world.best, ANSWERS, "metrics.jsonl"):
        assert (folder / name).is_file()
    assert TRAIN.epochs * 8 > STOP
    assert from_dict(type(world.spec), json.loads((folder / "spec.json").read_text())) == world.spec
