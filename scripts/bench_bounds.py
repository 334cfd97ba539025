"""Published certificates recomputed with our formulas, and our own for the built-in model and tasks.

    python scripts/bench_bounds.py published ../shared/reference/lotfi2022_code_runs.csv
    python scripts/bench_bounds.py certificates --out outputs/bounds

``published`` reads runs with their training error, message length and bounds (columns as in
tests/bounds/lotfi2022_runs.csv, the default), recomputes each bound, and prints the table and the largest difference in
each column in points. The exit status is 1 if a difference is larger than allowed: 0.001 for Catoni's bound, 0.01 for
the others.

``certificates`` runs ``intdim bound`` on the three built-in tasks (finished runs and certificates are reused), prints
the certificates, and writes scripts/results/bounds.json. Further words are passed to ``intdim bound``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from intdim.bounds import catoni, occam_binomial, occam_hoeffding, occam_kl, pac_bayes_kl
from intdim.durable import write_json

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "tests" / "bounds" / "lotfi2022_runs.csv"
RESULTS = Path(__file__).parent / "results" / "bounds.json"
TASKS = ("docstrings-kind", "docstrings-package", "docstrings-pair")
COLUMNS = {  # column of the file: our bound, allowed difference in points
    "bound_pct_recomputed_pactl_opt": (catoni, 0.001),
    "bound_pct_hoeffding_occam": (occam_hoeffding, 0.01),
    "bound_pct_kl_maurer": (pac_bayes_kl, 0.01),
    "bound_pct_kl_chernoff_occam": (occam_kl, 0.01),
}
RECORDED = (
    *("d", "D", "n", "delta", "bits", "bits_per_coordinate", "levels", "quantisation", "account"),
    *(
        "train_error_unquantised",
        "train_error",
        "certificate",
        "form",
        "relative_gap",
        "trend",
        "occam_kl",
        "occam_hoeffding",
        "catoni",
    ),
    *("majority_error_train", "majority_error_eval", "beats_majority", "eval_error", "eval_examples", "run_id"),
)
TRIED = ("d", "step_length", "bits", "train_error_unquantised", "train_error", "certificate", "eval_error")


def published(file: Path) -> int:
    """Print the published runs with our bounds; return 1 if a difference is larger than allowed."""
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    print("our bounds in percent; `tail` is the binomial tail, which has no published value")
    print(f"{'data':9s} {'d':>6s} {'n':>6s} {'error':>7s} {'bits':>8s} {'Catoni':>9s} {'Hoeffding':>10s} ", end="")
    print(f"{'pb-kl':>8s} {'kl':>8s} {'tail':>8s}")

    worst = dict.fromkeys(COLUMNS, 0.0)
    for row in rows:
        error, n = float(row["quant_train_err_pct"]) / 100, int(row["n"])
        bits = float(row["prefix_message_len_bits"]) + float(row["misc_extra_bits"])
        ours = {name: 100 * bound(error, bits, n) for name, (bound, _) in COLUMNS.items()}
        for name, value in ours.items():
            worst[name] = max(worst[name], abs(value - float(row[name])))
        tail = 100 * occam_binomial(error, bits, n)
        first, second, third, fourth = ours.values()
        print(
            f"{row['dataset']:9s} {row['d']:>6s} {n:6d} {100 * error:7.3f} {bits:8.0f} {first:9.4f} {second:10.3f} "
            f"{third:8.3f} {fourth:8.3f} {tail:8.3f}"
        )

    print(f"{len(rows)} runs; the largest differences from the published values, in points:")
    for name, (_, allowed) in COLUMNS.items():
        print(f"  {name:32s} {worst[name]:.5f} (allowed {allowed})")
    return int(any(worst[name] > allowed for name, (_, allowed) in COLUMNS.items()) or not rows)


def certificate(task: str, out: Path, words: list[str]) -> dict[str, Any]:
    """Search for the certificate of a built-in task, or read it; return it with its cost and file sizes."""
    folder_of_task = out / task
    before, old = resource.getrusage(resource.RUSAGE_CHILDREN), finished_in(folder_of_task)
    printed = intdim("bound", f"task={task}", f"out={folder_of_task}", *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    found = {
        path.parent: json.loads(path.read_text(encoding="utf-8"))
        for path in folder_of_task.glob("bounds/*/certificate.json")
    }
    (folder,) = (one for one in found if one.name in printed)  # the command prints last where it wrote
    best = found[folder]
    exported = folder_of_task / "exports" / f"{best['run_id']}.safetensors"
    intdim("export", best["run_id"], f"out={folder_of_task}")

    return {
        "task": task,
        "cpu_seconds": None if old else round(spent, 1),  # known only if this call made all runs
        "runs": len(finished_in(folder_of_task)),
        "printed": printed.splitlines(),
        **{name: best[name] for name in RECORDED},
        "tried": sorted(({name: one[name] for name in TRIED} for one in found.values()), key=lambda one: one["d"]),
        "bytes": {
            "weights": 4 * best["D"],
            "artifact": exported.stat().st_size,
            "message": (folder / "message.bin").stat().st_size,
            "coded artifact": (folder / "model.safetensors").stat().st_size,
        },
    }


def finished_in(out: Path) -> list[Path]:
    """Return the result files of all runs under a folder."""
    return sorted(out.glob("runs/*/result.json"))


def intdim(*words: str) -> str:
    """Run a command of intdim; return what it printed."""
    command = [sys.executable, "-m", "intdim", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def certificates(out: Path, words: list[str], results: Path) -> int:
    """Search for a certificate on each built-in task; print and write."""
    rows = []
    for task in TASKS:
        row = certificate(task, out, words)
        rows.append(row)
        print("\n".join(row["printed"]))
        print(f"  {row['runs']} runs, {row['cpu_seconds']} CPU seconds; bytes: {row['bytes']}\n", flush=True)

    from intdim.run.machine import versions  # imports torch

    machine = {"processor": processor(), "cores": os.cpu_count(), "versions": versions()}
    recorded = [{name: value for name, value in row.items() if name != "printed"} for row in rows]
    write_json(results, {"words": words, "machine": machine, "rows": recorded})
    return 0


def processor() -> str:
    """Return the name of the processor if the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    table = kinds.add_parser("published", help="the published runs")
    table.add_argument("file", type=Path, nargs="?", default=RUNS)
    search = kinds.add_parser("certificates", help="tiny on the built-in tasks")
    search.add_argument("--out", type=Path, default=Path("outputs/bounds"))
    search.add_argument("--results", type=Path, default=RESULTS)
    search.add_argument("words", nargs="*", help="key=value for intdim bound")
    options = parser.parse_args()
    if options.kind == "published":
        return published(options.file)
    return certificates(options.out, options.words, options.results)


if __name__ == "__main__":
    sys.exit(main())
