"""The benchmark prints figures only for products that are right."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from intdim.projections.one_hot import OneHot
from intdim.projections.orthogonal import Orthogonal

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_projections.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_projections", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(bench: ModuleType, monkeypatch: pytest.MonkeyPatch, out: Path) -> int:
    size = ["--D", "5000", "--d", "16,300", "--threads", str(torch.get_num_threads()), "--repeats", "2"]
    names = ["--projections", "one_hot,orthogonal,butterfly", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["bench_projections.py", *size, *names])
    monkeypatch.setattr(bench, "fresh_peak", lambda *a: 1 << 20)  # a process per row would be most of this test
    return bench.main()


def test_right_products_give_figures(bench, monkeypatch, tmp_path, capsys):
    assert run(bench, monkeypatch, tmp_path / "found.json") == 0
    record, printed = json.loads((tmp_path / "found.json").read_text()), capsys.readouterr().out
    assert [table["d"] for table in record["tables"]] == [16, 300]
    for table in record["tables"]:
        for name, row in table["projections"].items():
            low, middle, high = row["both_seconds"]
            assert 0 < low <= middle <= high
            assert row["both_in_copies"] == pytest.approx(middle / table["copy_seconds"][1])
            assert printed.count(f"\n{name} ") == 2
    both = [
        [table["projections"][name]["both_seconds"][1] for table in record["tables"]] for name in record["flatness"]
    ]
    assert list(record["flatness"].values()) == pytest.approx([max(times) / min(times) for times in both])
    assert {"cores", "torch", "load"} <= set(record["machine"])


def test_a_wrong_product_gives_none(bench, monkeypatch, tmp_path, capsys):
    right = OneHot._write

    def off_by_one_sign(self, z, to):
        right(self, z, to)
        to.out[-1] = -to.out[-1]

    monkeypatch.setattr(OneHot, "_write", off_by_one_sign)
    assert run(bench, monkeypatch, tmp_path / "found.json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "one_hot: P z at D=63, d=7" in printed.err
    assert "one_hot: dot test at D=5000, d=16" in printed.err
    assert "orthogonal" not in printed.err
    assert not (tmp_path / "found.json").exists()


def test_an_adjoint_that_is_another_matrix_gives_none(bench, monkeypatch, tmp_path, capsys):
    right = Orthogonal._read
    monkeypatch.setattr(Orthogonal, "_read", lambda self, g: 1.0001 * right(self, g))
    assert run(bench, monkeypatch, tmp_path / "found.json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "orthogonal: P^T g" in printed.err
    assert "butterfly" not in printed.err


def test_the_yardstick_has_unit_columns_in_expectation(bench):
    """D |column|^2 over 40 columns: within 5 standard errors of D (variance 2 D each; fails once in a million)."""
    D, d = 3000, 40
    P, squares = bench.Butterfly(D, d, 3), []
    for j in range(d):
        unit, image = torch.zeros(d, dtype=torch.float64), torch.empty(D, dtype=torch.float64)
        unit[j] = 1
        P.matvec(unit, out=image)
        squares.append(float(image.square().sum()))
    assert abs(sum(squares) / d - 1) < 5 * (2 / D / d) ** 0.5


def test_peak_memory_grows_with_the_weights(bench):
    small, large = (bench.fresh_peak("one_hot", D, 10, 1) for D in (10_000, 8_000_000))
    assert large - small > 2 * 4 * 7_000_000  # z, g and the result are at least two arrays of D floats
