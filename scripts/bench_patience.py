"""Whether ending converged runs early changes d90: the rule replayed on the recorded evaluations of a whole sweep.

    intdim sweep search=grid search.d_min=16 search.d_max=16384 search.grid_points=6 search.max_runs=18 \\
        train.evaluations=10 out=outputs/patience
    python scripts/bench_patience.py outputs/patience

A stopped run is the beginning of the whole run with the same seed, bit for bit (tests/run/test_training.py). So one
sweep of whole runs shows what every patience would have given: the step at which each run ends, and its score up to
then. From these the threshold, d90 and its interval are computed again, for both kinds of threshold, and compared with
those of the whole runs. Prints a row per patience and writes scripts/results/patience.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

from intdim.durable import read_json, write_json
from intdim.ledger.records import read_metrics
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.run.selection import Selection
from intdim.run.stopping import FLAT, Evaluation, stop_reason
from intdim.search import estimate
from intdim.spec import SweepSpec, derive_seed, from_dict

RESULTS = Path(__file__).parent / "results" / "patience.json"
PATIENCES = (1, 2, 3, 4)


def ended(folder: Path, patience: int) -> tuple[float, int, int]:
    """Return (score, last step, steps of the whole run) of a run under a patience; with 0 it runs to its end."""
    lines = [line for line in read_metrics(folder) if "select_score" in line]
    evaluations, chosen = [], Selection()
    for line in lines:
        latest = Evaluation(*(line[field.name] for field in dataclasses.fields(Evaluation)))
        evaluations.append(latest)
        chosen.kept.update(latest.step, latest.select_score, latest.eval_score, latest.eval_loss)
        chosen.other.update(latest.step, latest.eval_score, latest.select_score, latest.select_loss)
        if stop_reason(evaluations, patience, None):
            break
    return chosen.score, evaluations[-1].step, lines[-1]["step"]


def replay(ledger: Ledger, verdict: Verdict, seed: int, patience: int) -> dict[str, Any]:
    """Return the verdict of the sweep under a patience, for both kinds of threshold."""
    full = [ended(ledger.run_folder(run_id), patience) for run_id in verdict.baseline_run_ids]
    scores = [score for score, _, _ in full]
    mean, error = statistics.fmean(scores), statistics.stdev(scores) / math.sqrt(len(scores))

    runs, points, changed = [], [], {}
    for run_id in verdict.run_ids:
        result = ledger.result(run_id)
        assert result is not None, run_id
        if result.eval_score is None:
            points.append((result.d, math.nan))
            continue
        one = ended(ledger.run_folder(run_id), patience)
        runs.append(one)
        points.append((result.d, one[0]))
        changed.setdefault(str(result.d), []).append(round(one[0] - result.eval_score, 6))

    share, chance = verdict.fraction, verdict.chance
    bars = {"absolute": share * mean, "above_chance": chance + share * (mean - chance)}
    answers = {}
    for kind, bar in bars.items():
        found = estimate(
            points, threshold=bar, baseline=mean, chance=chance, baseline_std=error, d_min=verdict.d_min,
            d_max=verdict.d_max, seed=derive_seed(seed, "search"), seeds=3,
        )  # fmt: skip
        answers[kind] = {"status": found.status, "d90": found.d90, "low": found.low, "high": found.high, "bar": bar}

    return {
        "patience": patience,
        "steps": sum(step for _, step, _ in runs + full) / sum(total for _, _, total in runs + full),
        "stopped": sum(step < total for _, step, total in runs),
        "baselines_stopped": sum(step < total for _, step, total in full),
        "change_of_score_by_d": changed,
        "answers": answers,
    }


def main() -> int:
    """Replay, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of a sweep of whole runs with many evaluations")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    ledger = Ledger(options.out)
    folders = [file.parent for file in sorted(options.out.glob("sweeps/*/verdict.json"))]
    if len(folders) != 1:
        parser.error(f"{options.out} holds {len(folders)} finished sweeps; it must hold one")
    spec = from_dict(SweepSpec, read_json(folders[0] / "spec.json"))
    verdict = from_dict(Verdict, read_json(folders[0] / "verdict.json"))
    if spec.train.patience:
        parser.error("the runs of that sweep may have ended early; make it with train.patience=0")

    rows = [replay(ledger, verdict, spec.seed, patience) for patience in (0, *PATIENCES)]
    whole = rows[0]["answers"]
    print(f"{len(verdict.run_ids)} runs; losses within {100 * FLAT:g} % are flat")
    for row in rows:
        words = []
        for kind, answer in row["answers"].items():
            low, high, d90 = whole[kind]["low"], whole[kind]["high"], answer["d90"]
            answer["within_the_whole_interval"] = None if None in (d90, low, high) else low <= d90 <= high
            where = {True: "within", False: "OUTSIDE", None: answer["status"]}[answer["within_the_whole_interval"]]
            words.append(f"{kind} {'-' if d90 is None else round(d90)} ({where})")
        changes = [change for some in row["change_of_score_by_d"].values() for change in some]
        row["largest_loss"] = max(0.0, -min(changes))
        print(
            f"patience {row['patience']}: {row['steps']:.2f} of the steps, {row['stopped']} runs stopped, largest loss "
            f"{100 * row['largest_loss']:.1f} points; {'; '.join(words)}"
        )
    machine = {"processor": platform.machine(), "cores": os.cpu_count(), "python": sys.version.split()[0]}
    settings = {"evaluations": spec.train.evaluations, "max_steps": spec.train.max_steps}
    write_json(options.results, {"flat": FLAT, "settings": settings, "machine": machine, "rows": rows})
    return 0


if __name__ == "__main__":
    sys.exit(main())
