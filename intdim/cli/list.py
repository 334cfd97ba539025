"""``intdim list``: the sweeps that out holds, or its runs, the latest last."""

from __future__ import annotations

from typing import Any

from intdim.cli.answers import cell_words, verdict_words
from intdim.cli.looking import Settings, look, print_json
from intdim.cli.plain import columns, day, folded, score, short
from intdim.cli.status import sweep_json
from intdim.errors import UserError, echo, suggest
from intdim.ledger.commands import utc
from intdim.ledger.overview import Overview, RunLine, SweepLine, overview, run_lines

WHAT = ("sweeps", "runs")


def main(arguments: list[str]) -> int:
    """Read what was typed and list it; return the exit status."""
    return look("list", arguments, show, bare="what")


def show(settings: Settings) -> int:
    """Print the sweeps or the runs."""
    what, last = settings["what"], settings["last"]
    if what not in WHAT:
        raise UserError(f"'{echo(what)}' cannot be listed", suggest(what, WHAT), "intdim list, or intdim list runs")
    seen = overview(settings["out"])
    if what == "runs":
        lines, every = run_lines(seen, 0 if settings["json"] else last)
        if settings["json"]:
            print_json([run_json(line) for line in lines])
        else:
            print("\n".join(runs_text(seen, lines, every)))
        return 0

    ordered = sorted(seen.sweeps, key=lambda line: (line.ended, line.sweep_id))
    if settings["json"]:
        print_json([sweep_json(line) for line in ordered])
    else:
        print("\n".join(sweeps_text(seen, ordered[-last:] if last else ordered)))
    return 0


def sweeps_text(seen: Overview, lines: list[SweepLine]) -> list[str]:
    """Return the table of sweeps."""
    if not lines:
        return folded(f"no sweep was begun in {seen.out}")
    rows = []
    for line in lines:
        if line.verdict is not None:
            ended, found = day(line.ended), line.verdict
            rows.append([short(line.sweep_id), ended, verdict_words(found), str(found["runs"]), cell_words(found)])
        else:
            progress = line.progress
            runs = "–" if progress is None else f"{progress.done}/{progress.expected}"
            cell = line.note if progress is None else cell_words(vars(progress))
            rows.append([short(line.sweep_id), "", line.state, runs, cell])
    table = columns(("sweep", "ended", "d90 [90 %]", "runs", "cell"), rows, cut=4, right=(3,))
    return table + _rest(len(seen.sweeps) - len(lines), "intdim list")


def runs_text(seen: Overview, lines: list[RunLine], every: int) -> list[str]:
    """Return the table of runs."""
    if not lines:
        return folded(f"no run was begun in {seen.out}")
    table = columns(
        ("run", "ended", "state", "d", "score", "s", "seed", "cell"),
        [_run_row(line) for line in lines],
        cut=7,
        right=(3, 4, 5, 6),
    )
    return table + _rest(every - len(lines), "intdim list runs")


def run_json(line: RunLine) -> dict[str, Any]:
    """Return one run as JSON data."""
    return {
        "run_id": line.run_id,
        "state": line.state,
        "note": line.note,
        "model": line.model,
        "task": line.task,
        "ended": utc(line.ended) if line.ended else None,
        "result": line.result,
    }


def _run_row(line: RunLine) -> list[str]:
    cell = " ".join(name for name in (line.model, line.task) if name) or "?"
    ended, result = day(line.ended) if line.ended else "", line.result
    if result is None:
        return [short(line.run_id), ended, line.state, "", "", "", "", line.note or cell]
    where = result["method"] if result["method"] == "full" else f"{result['method']} {result['projection']}"
    return [
        short(line.run_id),
        ended,
        line.state,
        f"{result['d']:,}",
        score(result["eval_score"], 3),
        f"{result['step_length']:.3g}",
        str(result["seed"]),
        f"{cell} {where}",
    ]


def _rest(left: int, command: str) -> list[str]:
    return [f"and {left:,} before these: {command} last=0"] if left > 0 else []
