"""``intdim show ID``: where every number of a verdict or of a run came from; command, commit, versions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.cli.answers import cell_words, run_words, verdict_words
from intdim.cli.looking import Settings, look, print_json
from intdim.cli.plain import columns, folded, local, pairs, score, short
from intdim.cli.sources import Source, of_run, of_verdict, roles
from intdim.cli.status import driven_json, sweep_json, sweep_text
from intdim.errors import UserError
from intdim.ledger.commands import seconds_of, touched, utc
from intdim.ledger.named import RUN, find, standing_on
from intdim.ledger.origin import pasted
from intdim.ledger.overview import Driven, Overview, SweepLine, overview
from intdim.ledger.records import read_record, read_text
from intdim.ledger.results import RunResult
from intdim.ledger.store import RESULT, SPEC, Ledger
from intdim.report.words import count
from intdim.seals import Damaged
from intdim.spec import RunSpec, SweepSpec, to_dict

UNKNOWN = "the command is not known: it was given before commands were recorded, or its record was removed"
REMOVED = "removed"


def main(arguments: list[str]) -> int:
    """Read what was typed and show it; return the exit status."""
    return look("show", arguments, show)


def show(settings: Settings) -> int:
    """Print what stands behind each run or sweep that is named."""
    if not settings["ids"]:
        raise UserError("no id is given", "intdim show ID", "`intdim list` shows sweeps, `intdim list runs` runs.")
    seen = overview(settings["out"])
    named = [find(seen, word) for word in settings["ids"]]
    made: list[dict[str, Any]] = []
    for number, one in enumerate(named):
        data, lines = show_run(seen, one.id) if one.kind == RUN else show_sweep(seen, one.line)
        made.append(data)
        if not settings["json"]:
            print("\n".join([*([""] if number else []), *lines]))
    if settings["json"]:
        print_json(made[0] if len(made) == 1 else made)
    return 0


# -- runs --------------------------------------------------------------------------------------------------------------


def show_run(seen: Overview, run_id: str) -> tuple[dict[str, Any], list[str]]:
    """Return what stands behind a run, as JSON data and as lines.

    Raises:
        UserError: a file that a number rests on is damaged.
    """
    ledger = Ledger(seen.out)
    folder = ledger.run_folder(run_id)
    spec = read_record(RunSpec, folder / SPEC)
    result = ledger.result(run_id)
    environment = environment_of(folder)
    commands = [one for one in seen.drivers if run_id in one.command.runs]
    verdicts = standing_on(seen).get(run_id, [])
    sources = [] if spec is None or result is None else of_run(spec, result, _answers(ledger, result))

    state = _state(result, folder)
    data = {
        "kind": "run",
        "run_id": run_id,
        "state": state,
        "folder": str(folder),
        "ended": utc(touched(folder / RESULT)) if result else None,
        "result": None if result is None else to_dict(result),
        "spec": None if spec is None else to_dict(spec),
        "numbers": [dataclasses.asdict(one) for one in sources],
        "verdicts": verdicts,
        "commands": [driven_json(one) for one in commands],
        "environment": environment,
    }

    what = "its spec is missing" if spec is None else run_words(to_dict(spec), result.d if result else None)
    lines = [f"run {run_id}", *folded(what, 2), ""]
    facts = [("state", state), ("folder", str(folder)), ("used by", _used_by(verdicts))]
    if result:
        facts.insert(1, ("ended", local(touched(folder / RESULT))))
    lines += pairs(facts) + numbers_text(sources) + made_by(commands) + environment_text(environment)
    return data, lines


def environment_of(folder: Path) -> dict[str, Any]:
    """Return what a run recorded of its machine, {} where it cannot be read."""
    try:
        found = durable.read_json(folder / "environment.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def environment_text(environment: dict[str, Any]) -> list[str]:
    """Return machine and versions as lines."""
    if not environment:
        return []
    versions = environment.get("versions")
    said = ", ".join(f"{name} {value}" for name, value in versions.items()) if isinstance(versions, dict) else "?"
    said_of = ("host", "device", "threads", "products")
    facts = [(name, str(environment[name])) for name in said_of if name in environment]
    return ["", *pairs([*facts, ("versions", said)])]


def _answers(ledger: Ledger, result: RunResult) -> int | None:
    """Return how many answers a run kept, None where it kept none. A metric that was a function is not known here.

    Raises:
        Damaged: they are not those of its score.
    """
    answers = ledger.answers(result.run_id)
    if answers is None or result.eval_score is None:
        return None
    from intdim.tasks.metrics import METRICS

    known = METRICS.get(result.metric)
    if known is not None and abs(answers.score(known) - result.eval_score) > 1e-6:
        raise Damaged(ledger.run_folder(result.run_id) / RESULT, "eval_score is not the score of the answers")
    return len(answers.labels)


def _state(result: RunResult | None, folder: Path) -> str:
    if result is None:
        if (folder / "error.txt").exists():
            last = read_text(folder / "error.txt").strip().splitlines()
            return f"broken: {last[-1] if last else 'error.txt is empty'}"
        return "unfinished"
    return f"failed: {result.reason}" if result.failed else "done" + (f", {result.stopped}" if result.stopped else "")


def _used_by(verdicts: list[str]) -> str:
    return f"{count(len(verdicts), 'verdict')}: {', '.join(verdicts)}" if verdicts else "no verdict"


# -- sweeps ------------------------------------------------------------------------------------------------------------


def show_sweep(seen: Overview, line: SweepLine | None) -> tuple[dict[str, Any], list[str]]:
    """Return what stands behind a sweep, as JSON data and as lines.

    Raises:
        UserError: a file of the sweep is damaged.
    """
    assert line is not None
    ledger = Ledger(seen.out)
    folder = ledger.sweep_folder(line.sweep_id)
    verdict = ledger.whole_verdict(line.sweep_id)
    if verdict is None:
        return {"kind": "sweep"} | sweep_json(line), [f"sweep {line.sweep_id} has no verdict", *sweep_text(line)]
    spec = read_record(SweepSpec, folder / SPEC)
    assert spec is not None
    sources, commands = of_verdict(spec, verdict), [one for one in seen.drivers if line.sweep_id in one.command.sweeps]
    runs = [row for role, run_ids in roles(verdict) for row in runs_behind(ledger, role, run_ids)]
    gone = [row["run_id"] for row in runs if row["state"] == REMOVED]

    data = {
        "kind": "sweep",
        "sweep_id": line.sweep_id,
        "state": line.state,
        "folder": str(folder),
        "ended": utc(line.ended),
        "verdict": to_dict(verdict),
        "spec": to_dict(spec),
        "numbers": [dataclasses.asdict(one) for one in sources],
        "runs": runs,
        "removed": gone,
        "commands": [driven_json(one) for one in commands],
    }
    head = [f"sweep {line.sweep_id}", *folded(cell_words(to_dict(verdict)), 2), ""]
    facts = [("answer", verdict_words(to_dict(verdict))), ("", verdict.message), ("ended", local(line.ended))]
    facts += [("warning", warning) for warning in verdict.warnings]
    if gone:
        named = ", ".join(short(one) for one in gone)
        facts.append(("removed", f"{len(gone)} of its {count(len(runs), 'run')}: {named}"))
    facts.append(("folder", str(folder)))
    versions = ", ".join(f"{name} {value}" for name, value in verdict.versions.items())
    lines = head + pairs(facts) + numbers_text(sources) + made_by(commands) + ["", *pairs([("versions", versions)])]
    return data, [*lines, "", *runs_text(runs)]


def runs_behind(ledger: Ledger, role: str, run_ids: Any) -> list[dict[str, Any]]:
    """Return a row for each run that a verdict names, those that are gone or damaged with a word."""
    rows = []
    for run_id in run_ids:
        row: dict[str, Any] = {"role": role, "run_id": run_id} | dict.fromkeys(("d", "step_length", "seed", "score"))
        try:
            found = ledger.record(run_id)
        except Damaged as error:
            rows.append(row | {"state": "damaged", "note": error.parts[0]})
            continue
        if found is None:
            there = ledger.run_folder(run_id).is_dir()
            rows.append(row | {"state": "result removed" if there else REMOVED, "note": ""})
            continue
        one = found[1]
        facts = {"d": one.d, "step_length": one.step_length, "seed": one.seed, "score": one.eval_score}
        rows.append(row | facts | {"state": one.status, "note": one.reason})
    return rows


def runs_text(runs: list[dict[str, Any]]) -> list[str]:
    """Return the table of the runs behind a verdict."""
    rows = [
        [
            short(row["run_id"]),
            row["role"],
            "–" if row["d"] is None else f"{row['d']:,}",
            "–" if row["step_length"] is None else f"{row['step_length']:.3g}",
            score(row["score"]),
            "–" if row["seed"] is None else str(row["seed"]),
            f"{row['state']} {row['note']}".strip(),
        ]
        for row in runs
    ]
    return columns(("run", "for", "d", "s", "score", "seed", "state"), rows, cut=6, right=(2, 3, 4, 5))


# -- both --------------------------------------------------------------------------------------------------------------


def numbers_text(sources: list[Source]) -> list[str]:
    """Return each number with its value and where it came from."""
    if not sources:
        return []
    name = max(len(one.name) for one in sources)
    value = max(len(one.value) for one in sources)
    return ["", *pairs([(f"{one.name:<{name}}  {one.value:>{value}}", one.origin) for one in sources])]


def made_by(commands: list[Driven]) -> list[str]:
    """Return in lines which commands made it, with their versions and commits; the command itself can be pasted."""
    if not commands:
        return ["", *folded(UNKNOWN)]
    lines = []
    for one in commands:
        origin, command = one.command.origin, one.command
        commit = f"commit {origin.commit}" if origin.commit else "no commit is known"
        when = f"{local(seconds_of(command.started))} on {origin.host}, intdim {origin.version}, {commit}"
        lines += ["", f"command  {pasted(one.command.origin)}", *pairs([("began  ", when)])]
    return lines
