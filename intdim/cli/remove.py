"""``intdim remove ID ...``: deletes runs or sweeps, after asking."""

from __future__ import annotations

from collections.abc import Sequence

from intdim.cli.looking import Settings, confirmed, look, print_json
from intdim.cli.plain import folded
from intdim.errors import RunFailed, UserError
from intdim.ledger.named import RUN, SWEEP, find
from intdim.ledger.overview import overview
from intdim.ledger.removal import Removal, plan, remove
from intdim.report.words import count

LISTED = 10  # things that are named before the question


def main(arguments: list[str]) -> int:
    """Read what was typed, ask, and delete; return the exit status."""
    return look("remove", arguments, delete)


def delete(settings: Settings) -> int:
    """Delete what is named, unless something stands on it or the answer is no.

    Raises:
        UserError: nothing is named, something stands on it, somebody is at it, or nobody is there to be asked.
        RunFailed: a part could not be removed.
    """
    if not settings["ids"]:
        raise UserError("no id is given", "intdim remove ID ...", "`intdim list` shows the sweeps and their ids.")
    seen = overview(settings["out"])
    chosen = plan(seen, [find(seen, word) for word in settings["ids"]], settings["runs"])
    refuse(chosen, settings["force"])

    if settings["ask"]:
        if settings["json"]:
            raise UserError("--json does not ask", "--json --yes", "Add --yes to remove without a question.")
        print("\n".join(listed(chosen)))
        answer = confirmed(question(chosen))
        if answer is None:
            raise UserError("nobody is there to be asked", "a terminal, or --yes", "Add --yes to remove it.")
        if not answer:
            print("nothing was removed")
            return 0

    removed: list[Removal] = []
    for one in chosen:
        try:
            remove(seen, one)
        except RunFailed as error:
            raise RunFailed(f"{error} Removed so far: {len(removed)} of {len(chosen)}") from error
        removed.append(one)
    if settings["json"]:
        print_json([{"kind": one.kind, "id": one.id, "bytes": one.size, "stands": list(one.stands)} for one in removed])
    else:
        print(f"removed: {in_words(removed)}")
    return 0


def refuse(chosen: Sequence[Removal], force: bool) -> None:
    """Refuse what somebody is at, and without ``force`` what something stands on."""
    busy = [one for one in chosen if one.busy]
    if busy:
        raise UserError(
            f"{busy[0].kind} {busy[0].id} is under way: {busy[0].busy}" + _more(len(busy) - 1),
            "what nobody is at",
            "Interrupt that process first (Ctrl-C; what is finished is kept).",
        )
    stands = [one for one in chosen if one.stands]
    if stands and not force:
        named = " and ".join(stands[0].stands[:2])
        raise UserError(
            f"run {stands[0].id} is what {named} rests on" + _more(len(stands) - 1),
            "runs that nothing stands on",
            "Remove the sweep first, or add --force: the verdict stays, and says that a run is gone.",
        )


def listed(chosen: Sequence[Removal]) -> list[str]:
    """Name what would be removed."""
    lines = []
    for one in chosen[:LISTED]:
        stands = f"; {', '.join(one.stands)} will be without it" if one.stands else ""
        lines += folded(f"{one.kind} {one.id}, {megabytes(one.size)}{stands}")
    if len(chosen) > LISTED:
        lines.append(f"and {len(chosen) - LISTED:,} more")
    return lines


def question(chosen: Sequence[Removal]) -> str:
    """Return the question."""
    return f"Remove {in_words(chosen)}? It cannot be undone."


def in_words(chosen: Sequence[Removal]) -> str:
    """Count what is removed."""
    sweeps, runs = (sum(one.kind == kind for one in chosen) for kind in (SWEEP, RUN))
    said = [count(number, thing) for number, thing in ((sweeps, "sweep"), (runs, "run")) if number]
    return f"{' and '.join(said)}, {megabytes(sum(one.size for one in chosen))}"


def megabytes(size: int) -> str:
    """Return bytes in words."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"


def _more(number: int) -> str:
    return f" (and {number} more like it)" if number > 0 else ""
