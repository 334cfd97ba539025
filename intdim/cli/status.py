"""``intdim status``: sweeps that run, were stopped, failed or finished, and who drives them."""

from __future__ import annotations

import dataclasses
from typing import Any

from intdim.cli.answers import cell_words, verdict_words
from intdim.cli.looking import Settings, look, print_json
from intdim.cli.plain import columns, day, folded, local, short
from intdim.ledger.commands import FAILED, FINISHED, RUNNING, STOPPED, age, seconds_of, utc
from intdim.ledger.origin import pasted
from intdim.ledger.overview import DAMAGED, UNFINISHED, Driven, Overview, SweepLine, count_runs, overview

ORDER = (RUNNING, STOPPED, FAILED, DAMAGED, UNFINISHED, FINISHED)
SHOWN = 5  # finished sweeps that are listed, the latest


def main(arguments: list[str]) -> int:
    """Read what was typed and show what is there; return the exit status."""
    return look("status", arguments, show)


def show(settings: Settings) -> int:
    """Print the state of every sweep that was begun."""
    seen = overview(settings["out"])
    counts = count_runs(seen)
    if settings["json"]:
        print_json(as_json(seen, counts))
    else:
        print("\n".join(as_text(seen, counts)))
    return 0


def as_json(seen: Overview, counts: dict[str, int]) -> dict[str, Any]:
    """Return the answer as JSON data."""
    return {
        "out": str(seen.out),
        "sweeps": [sweep_json(line) for line in _ordered(seen)],
        "single_runs": [driven_json(one) for one in _alone(seen)],
        "runs": counts,
        "damaged": [error.parts[0] for error in seen.damaged],
    }


def sweep_json(line: SweepLine) -> dict[str, Any]:
    """Return one sweep as JSON data."""
    progress = None if line.progress is None else dataclasses.asdict(line.progress)
    ended = utc(line.ended) if line.ended else None
    drivers = [driven_json(one) | {"seconds_left": seconds_left(line, one)} for one in line.drivers]
    answer = None if line.verdict is None else {name: line.verdict[name] for name in ANSWER}
    return {
        "sweep_id": line.sweep_id,
        "state": line.state,
        "note": line.note,
        "verdict": answer,
        "progress": progress,
        "ended": ended,
        "drivers": drivers,
    }


ANSWER = ("model", "task", "method", "projection", "scope", "status", "d90", "d90_low", "d90_high", "runs")


def driven_json(one: Driven) -> dict[str, Any]:
    """Return one command as JSON data."""
    command, origin = one.command, one.command.origin
    return {
        "command": list(origin.words),
        "folder": origin.folder,
        "host": origin.host,
        "process": origin.process,
        "version": origin.version,
        "commit": origin.commit,
        "started": command.started,
        "last_sign": command.beat,
        "ended": command.ended,
        "state": one.life.state,
        "notes": list(one.life.words),
        "message": command.message,
        "running": list(command.running),
    }


def seconds_left(line: SweepLine, one: Driven) -> float | None:
    """Return about how long a sweep that runs still takes, None where that is not known."""
    if line.state != RUNNING or line.progress is None or one.life.state != RUNNING:
        return None
    left = one.command.seconds_left(line.progress)
    return None if left is None else round(left, 1)


def as_text(seen: Overview, counts: dict[str, int]) -> list[str]:
    """Return the answer as lines."""
    ordered = _ordered(seen)
    states = {state: sum(line.state == state for line in ordered) for state in ORDER}
    said = ", ".join(f"{number:,} {state}" for state, number in states.items() if number) or "none"
    runs = ", ".join(f"{number:,} {state}" for state, number in counts.items() if number) or "none"
    lines = folded(f"sweeps in {seen.out}: {said}") + folded(f"runs: {runs}")

    for line in ordered:
        if line.state != FINISHED:
            lines += ["", *sweep_text(line)]
    for one in _alone(seen):
        if one.life.state == RUNNING:
            lines += ["", *folded(f"single runs: {len(one.command.running)} under way"), *driver_text(one)]
    finished = [line for line in ordered if line.state == FINISHED]
    if finished:
        rows = [[short(line.sweep_id), day(line.ended), *_answer(line)] for line in finished[:SHOWN]]
        lines += ["", *columns(("finished", "on", "d90 [90 %]", "cell"), rows, cut=3)]
    if len(finished) > SHOWN:
        lines.append(f"and {len(finished) - SHOWN:,} more: intdim list")
    for error in seen.damaged:
        lines += ["", *folded(error.parts[0])]
    return lines


def sweep_text(line: SweepLine) -> list[str]:
    """Return a sweep without a verdict as lines."""
    cell = "" if line.progress is None else cell_words(dataclasses.asdict(line.progress))
    lines = folded(f"{short(line.sweep_id)}  {cell}".rstrip())
    progress, said = line.progress, line.state
    if progress is not None and line.state in (RUNNING, STOPPED, FAILED):
        left = max(0, progress.expected - progress.done)
        said += f", {progress.stage}: {progress.done} of about {progress.expected} runs, {left} left"
        times = [found for one in line.drivers if (found := seconds_left(line, one)) is not None]
        said += f", about {age(min(times))}" if times else ""
    if line.state == FAILED and progress is not None and progress.message:
        said += f". {progress.message}"
    lines += folded(f"{said}. {line.note}" if line.note else said, 2)
    running = [one for one in line.drivers if one.life.state == RUNNING]
    if len(running) > 1:
        lines += folded(f"{len(running)} drivers are at it at once; each run is made by one of them alone", 2)
    for one in line.drivers:
        lines += driver_text(one)
    if line.state in (STOPPED, FAILED) and line.drivers:
        lines += ["  resume: " + pasted(line.drivers[-1].command.origin)]
    return lines


def driver_text(one: Driven) -> list[str]:
    """Return in lines who drives: host, process, since when, and what there is to say of it."""
    origin, command = one.command.origin, one.command
    since = local(seconds_of(command.started))
    where = f"{origin.host}, process {origin.process}, since {since}"
    if command.ended is not None:
        where += f" until {local(seconds_of(command.ended))}"
    lines = folded(f"by {where}", 2)
    for words in one.life.words:
        lines += folded(words, 2)
    return lines


def _answer(line: SweepLine) -> list[str]:
    assert line.verdict is not None
    return [verdict_words(line.verdict), cell_words(line.verdict)]


def _ordered(seen: Overview) -> list[SweepLine]:
    """Return the sweeps: what runs first, the finished ones last and the latest of them first."""
    return sorted(seen.sweeps, key=lambda line: (ORDER.index(line.state), -line.ended, line.sweep_id))


def _alone(seen: Overview) -> list[Driven]:
    """Return the commands that make runs and belong to no sweep."""
    return [one for one in seen.drivers if not one.command.sweeps]
