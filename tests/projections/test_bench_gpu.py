"""The benchmarks on a CUDA device: what gets no times, what a bar says, and the one command for all of them."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from intdim.projections.one_hot import OneHot

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scripts():
    """The scripts by name; they import each other, as they do from the command line."""
    before, names = (
        set(sys.modules),
        ("card", "bench_step", "gpu_steps", "bench_gpu_products", "bench_gpu_steps", "gpu"),
    )
    yield {name: load(name) for name in names}
    for name in {*names} - before:
        sys.modules.pop(name, None)


# -- products ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["one_hot", "orthogonal", "fastfood", "kronecker", "sparse"])
def test_right_products_pass_in_float32_and_bf16(scripts, name):
    assert scripts["bench_gpu_products"].faults(name, 5000, [16, 300], torch.device("cpu")) == []


def test_wrong_products_are_named(scripts, monkeypatch):
    faults, right = scripts["bench_gpu_products"].faults, OneHot._write

    def one_sign_is_wrong(self, z, to):
        right(self, z, to)
        if self.D != 5000:  # the product on the CPU that is compared with stays right
            to.out[-1] += 1

    monkeypatch.setattr(OneHot, "_write", one_sign_is_wrong)
    found = faults("one_hot", 5000, [16], torch.device("cpu"))
    assert found[0].startswith("one_hot: theta at D=63, d=7, float32, is off by")
    assert any("bf16" in line for line in found)
    assert not any("P^T g" in line or "D=5000" in line for line in found)


def test_a_product_that_differs_only_where_it_is_measured_is_found(scripts, monkeypatch):
    faults, right = scripts["bench_gpu_products"].faults, OneHot._read
    calls = []

    def later_is_wrong(self, source):
        calls.append(self.D)
        return right(self, source) * (1.001 if calls.count(5000) == 1 else 1.0)

    monkeypatch.setattr(OneHot, "_read", later_is_wrong)
    found = faults("one_hot", 5000, [16], torch.device("cpu"))
    assert [line.partition(", is off")[0] for line in found] == ["one_hot: P^T g at D=5000, d=16, float32"]


def test_bars_are_those_of_float32(scripts):
    bench = scripts["bench_gpu_products"]
    row = {"write_share": 0.8, "read_share": 0.5, "write_copies": 5.0, "read_copies": 7.0}
    rows = [
        row | {"projection": name, "d": d, "form": form.name}
        for name in bench.PROJECTIONS.split(",")
        for d in (1000, 65536)
        for form in bench.FORMS
        if bench.affordable(name, d)
    ]
    met = {bar.name: bar.met for bar in bench.bars(rows)}
    assert len(met) == 2 * (2 * 4 + 1)
    assert not met["orthogonal, d=1000: theta_0 + P z, of a copy's bandwidth"]
    assert met["orthogonal, d=65536: theta_0 + P z, of a copy's bandwidth"]
    assert met["kronecker, d=1000: theta_0 + P z, in copies"]
    assert not met["kronecker, d=1000: P^T g, in copies"]
    assert not met["sparse, d=1000: theta_0 + P z, in copies"]


# -- steps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "subspace", "subspace, bf16 theta_0"])
def test_a_launched_step_trains(scripts, monkeypatch, name):
    steps = scripts["gpu_steps"]
    monkeypatch.setattr(steps, "VOCABULARY", 100)
    shape, device = steps.Shape(layers=1, hidden=32, heads=2, rows=4, length=8), torch.device("cpu")
    step = steps.Launched(steps.FORMS[name], shape, 0.0, 20, "one_hot", device)
    before, taught = step.position().clone(), steps.batch(shape)
    step(taught)
    moved = (step.position() - before).abs().max()
    assert 0 < moved <= 1.1 * steps.RATE
    assert {weight.dtype for weight in step.model.parameters()} == {torch.float32 if name == "full" else torch.bfloat16}


def test_bars_of_steps_need_what_they_compare(scripts):
    bench = scripts["bench_gpu_steps"]
    times = {bench.BASE: {"full": {"step_seconds": 0.03}, "subspace, captured": {"step_seconds": 0.0132}}}
    known = {"full": {"peak_bytes": 100, "fault": ""}, "subspace": {"peak_bytes": 70}, "subspace, captured": {}}
    bars = bench.bars(times, known)
    assert [(bar.met, bar.limit) for bar in bars] == [(True, 0.45), (False, 0.65)]
    assert str(bars[0]) == "met    BERT-base 32 x 128: subspace, captured, of full: 0.440 (<= 0.45)"


# -- all of it ---------------------------------------------------------------------------------------------------------


def fake(scripts, monkeypatch, tmp_path, parts, *words):
    """Run gpu.py with made-up parts; return its status and its record."""
    gpu = scripts["gpu"]
    monkeypatch.setattr(gpu, "machine", lambda: {"card": "none", "driver": "", "versions": {}})
    monkeypatch.setattr(gpu, "parts", lambda results: parts)
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--parts", ",".join(parts), "--results", str(tmp_path), *words])
    return gpu.main(), json.loads((tmp_path / "gpu.json").read_text())


def test_a_part_that_fails_hides_no_other(scripts, monkeypatch, tmp_path, capsys):
    gpu, python = scripts["gpu"], [sys.executable, "-c"]
    bars = tmp_path / "gpu-good.json"

    def writes(limit):
        bars.write_text(json.dumps({"bars": [{"met": True}, {"met": False}]}))
        return gpu.run([*python, "pass"], limit)

    parts = {
        "broken": (9.0, lambda limit: gpu.run([*python, "raise SystemExit(3)"], limit)),
        "slow": (0.2, lambda limit: gpu.run([*python, "import time; time.sleep(60)"], limit)),
        "good": (9.0, writes),
    }
    status, record = fake(scripts, monkeypatch, tmp_path, parts)
    assert status == 1
    assert [(line["part"], line["status"], line["bars"], line["bars_met"]) for line in record["parts"]] == [
        ("broken", "failed", 0, 0),
        ("slow", "out of time", 0, 0),
        ("good", "passed", 2, 1),
    ]
    assert capsys.readouterr().out.count("1 of 2 bars met") == 1


def test_limits_can_be_stretched_and_success_is_said(scripts, monkeypatch, tmp_path):
    given = []
    parts = {"one": (10.0, lambda limit: given.append(limit) or "passed")}
    status, record = fake(scripts, monkeypatch, tmp_path, parts, "--stretch", "2")
    assert (status, given) == (0, [20.0])
    assert record["machine"]["card"] == "none"


def test_old_bars_do_not_count(scripts, tmp_path):
    file = tmp_path / "gpu-products.json"
    assert scripts["gpu"].bars_of(file, 0.0) == []
    file.write_text(json.dumps({"bars": [{"met": True}]}))
    assert len(scripts["gpu"].bars_of(file, file.stat().st_mtime)) == 1
    assert scripts["gpu"].bars_of(file, file.stat().st_mtime + 1) == []


def test_every_part_has_a_command_and_a_limit(scripts, tmp_path):
    known = scripts["gpu"].parts(tmp_path)
    assert list(known) == ["tests", "products", "steps", "slots", "sweep"]
    assert sum(limit for limit, _ in known.values()) <= 600
    files = [Path(word) for word in scripts["gpu"].tests() if word.endswith(".py")]
    assert SCRIPTS.parent / "tests/kernels/test_triton.py" in files


def test_without_a_card_one_line_says_so(scripts, capsys):
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert scripts["gpu"].machine() is None
    assert capsys.readouterr().err == "AssertionError: torch sees no CUDA device\n"
