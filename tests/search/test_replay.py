"""The replay of published runs, on simulated ones whose d90 is known."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[2] / "scripts" / "replay_curves.py"


def replay(tmp_path, rows, *words):
    table = tmp_path / "curves.csv"
    table.write_text("\n".join(["experiment,d,score", *rows]) + "\n")
    out = tmp_path / "replay.json"
    command = [sys.executable, str(SCRIPT), str(table), "--experiments", "made_up", "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False), out


def test_a_replay_gives_back_the_d90_of_the_curve(tmp_path):
    rng = np.random.default_rng(0)
    places = np.unique(np.geomspace(10, 10_000, 40).astype(int))
    rows = [f"made_up_direct,0,{score}" for score in (0.95, 0.955, 0.945)]
    for d in places:
        mean = 0.1 + 0.85 / (1 + math.exp(-(math.log(d) - math.log(300)) / 0.5))
        rows += [f"made_up,{d},{mean + 0.003 * rng.standard_normal()}" for _ in range(3)]
    done, out = replay(tmp_path, rows, "--seeds", "3")
    assert done.returncode == 0, done.stderr
    measured = json.loads(out.read_text())["rows"]["made_up"]
    assert [round(row["bar"], 3) for row in measured] == [0.9, 0.855]
    for row in measured:
        truth = 300 * math.exp(-0.5 * math.log(0.85 / (row["bar"] - 0.1) - 1))
        assert truth / 1.25 < row["rule"] < truth * 1.35
        for one in row["replays"]:
            assert one["runs"] <= 12
            assert one["status"] == "found"
            assert one["low"] / 1.1 < truth < one["high"] * 1.1
            assert abs(math.log(one["d90"] / truth)) < math.log(1.25)


def test_an_experiment_that_is_not_there_is_said(tmp_path):
    done, out = replay(tmp_path, ["other,10,0.5"])
    assert done.returncode != 0
    assert "made_up: no runs" in done.stderr
    assert not out.exists()
