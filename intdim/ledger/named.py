"""Runs and sweeps by their ids, by the beginning of one, or by their folders."""

from __future__ import annotations

import os
from dataclasses import dataclass

from intdim.errors import UserError, echo
from intdim.ledger.glance import folder_names
from intdim.ledger.overview import Overview, SweepLine

RUN, SWEEP = "run", "sweep"
LISTED = 4  # ids that an error names
LONG = 12  # characters of an id in a list of several


@dataclass(frozen=True)
class Named:
    """What an id stands for: ``kind`` is ``run`` or ``sweep``; ``line`` is there for a sweep."""

    kind: str
    id: str
    line: SweepLine | None = None


def find(seen: Overview, word: str) -> Named:
    """Return the run or sweep that a word names: an id, the beginning of one, or a folder.

    Raises:
        UserError: none has this beginning, several have, or the run was removed.
    """
    text = os.path.basename(word.rstrip("/")) if "/" in word else word
    sweeps = {line.sweep_id: line for line in seen.sweeps}
    runs = folder_names(seen.out / "runs")
    found = [Named(SWEEP, name, sweeps[name]) for name in sweeps if text and name.startswith(text)]
    found += [Named(RUN, name) for name in runs if text and name.startswith(text)]

    whole = [one for one in found if one.id == text]
    if len(whole or found) == 1:
        return (whole or found)[0]
    if found:
        several = ", ".join(f"{one.kind} {one.id[:LONG]}" for one in found[:LISTED])
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise UserError(
            f"'{echo(word)}' fits {len(found)}: {several}{more}", "an id of one", "Give more of its digits."
        )

    for line in seen.sweeps:
        for run_id in line.run_ids:
            if text and run_id.startswith(text):
                raise UserError(
                    f"run {run_id} was removed: sweep {line.sweep_id} stands on it, and its folder is gone",
                    "a run or a sweep that is there",
                    f"The command of the sweep makes it again once its verdict is gone: intdim show {line.sweep_id}",
                )
    raise UserError(
        f"'{echo(word)}' is no run and no sweep in {seen.out}",
        f"the id, or the beginning of one, of {len(runs):,} runs and {len(sweeps):,} sweeps",
        "`intdim list` shows the sweeps, `intdim list runs` the runs.",
    )


def standing_on(seen: Overview) -> dict[str, list[str]]:
    """Return by run id the sweeps whose verdicts stand on it."""
    found: dict[str, list[str]] = {}
    for line in seen.sweeps:
        for run_id in line.run_ids:
            found.setdefault(run_id, []).append(line.sweep_id)
    return found
