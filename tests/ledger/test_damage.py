"""A finished sweep is damaged in every way we could think of: the same command gives the same verdict, or names the
file and gives it the second time. Never another verdict, and nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from intdim.drivers.sweep import run_cells
from intdim.errors import IntdimError
from intdim.ledger import prepared as remembered
from intdim.ledger.store import Ledger
from intdim.ledger.verdict import Verdict
from intdim.spec import LAYOUT_VERSION
from tests import cells
from tests.ledger.damage import FEW, WAYS, Leaving, sweep

RUN_FILES = ("spec.json", "result.json", "hashes.json", "eval.safetensors", "z.safetensors", "environment.json")
REMARKS = ("metrics.jsonl", "log.txt", ".lock")
SWEEP_FILES = ("spec.json", "verdict.json", "points.csv", "hashes.json")
TABLE: list[tuple[str, str, str]] = []  # (what, how, what happened)


class Kept:
    """A finished sweep, and a second one of another search, whose files are of the same kinds."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.verdict, _, _ = sweep(self.out)
        self.foreign, _, _ = sweep(folder / "foreign", middle=4.5, seed=7)
        self.elsewhere = folder / "foreign"
        runs = {spec.subspace.method: spec.run_id for spec, _ in Ledger(self.out).runs()}
        theirs = {spec.subspace.method: spec.run_id for spec, _ in Ledger(self.elsewhere).runs()}
        self.runs, self.theirs = runs, theirs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTDIM_CACHE", str(folder / "cache"))
        patch.setattr(remembered, "_assets", lambda reference: "fixed")
        yield Kept(folder)
    print("\n" + "\n".join(f"{what:32} {how:20} {found}" for what, how, found in TABLE))


@pytest.fixture
def out(kept: Kept, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(kept.out, tmp_path / "out")
    return tmp_path / "out"


def again(out: Path, wanted: Verdict, what: str, how: str, named: str = "") -> list[str]:
    """Give the command again, twice; return what was said. ``named`` is a path that must be named."""
    try:
        verdict, lines, made = sweep(out)
        found = f"{'named' if lines else 'said nothing'}, {made} runs made"
    except IntdimError as raised:
        found, lines = "named in an error, then whole", [str(raised)]
        verdict, _, _ = sweep(out)
    assert verdict == wanted
    if named:
        assert any(named in line for line in lines), lines
    TABLE.append((what, how, found))

    second, lines_again, made = sweep(out)
    assert (second, lines_again, made) == (wanted, [], 0), "the damage is healed"
    return lines


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", SWEEP_FILES)
def test_a_damaged_sweep(kept: Kept, out: Path, name: str, how: str) -> None:
    folder = Ledger(out).sweep_folder(kept.verdict.sweep_id)
    other = Ledger(kept.elsewhere).sweep_folder(kept.foreign.sweep_id) / name
    WAYS[how](folder / name, other)
    unfinished = (name, how) == ("verdict.json", "missing")
    again(out, kept.verdict, f"sweep: {name}", how, "" if unfinished else str(folder / name))


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", RUN_FILES + REMARKS)
@pytest.mark.parametrize("method", ["full", "did"])
def test_a_damaged_run(kept: Kept, out: Path, method: str, name: str, how: str) -> None:
    """The verdict is gone too, so that the run is read again."""
    file = Ledger(out).run_folder(kept.runs[method]) / name
    if not file.exists():
        pytest.skip("full fine-tuning has no z")
    before = file.read_bytes()
    other = Ledger(kept.elsewhere).run_folder(kept.theirs[method]) / name
    WAYS[how](file, other)
    shutil.rmtree(out / "sweeps")

    # without a result it has not ended; a missing spec is written; what a lock says is not believed
    harmless = name == ".lock" or (how == "missing" and name in ("result.json", "spec.json", *REMARKS))
    lines = again(out, kept.verdict, f"{method} run: {name}", how, "" if harmless else str(file))
    if name in RUN_FILES:
        assert file.read_bytes() == before, "made again, it is the same"
    if how not in ("missing", "empty") and lines:
        assert name in [entry for _, folders, files in os.walk(out / "damaged") for entry in folders + files]


def other_run(out: Path, kept: Kept) -> Path:
    return Ledger(out).run_folder(kept.runs["did"])


def swapped(out: Path, kept: Kept) -> None:
    shutil.rmtree(other_run(out, kept))
    shutil.copytree(Ledger(kept.elsewhere).run_folder(kept.theirs["did"]), other_run(out, kept))


def file_in_place_of(path: Callable[[Path, Kept], Path]) -> Callable[[Path, Kept], None]:
    def damage(out: Path, kept: Kept) -> None:
        shutil.rmtree(path(out, kept))
        path(out, kept).write_text("a stray file")

    return damage


def linked(out: Path, kept: Kept) -> None:
    shutil.rmtree(other_run(out, kept))
    other_run(out, kept).symlink_to(Ledger(kept.elsewhere).run_folder(kept.theirs["did"]))


def dangling(out: Path, kept: Kept) -> None:
    shutil.rmtree(other_run(out, kept))
    other_run(out, kept).symlink_to(out / "nowhere")


def odd_names(out: Path, kept: Kept) -> None:
    (out / "runs" / "stray").write_text("")
    for name in ("\udcff\udcfe", "\n\x1b[31m"):
        (out / "runs" / name).mkdir()
        (out / "runs" / name / "result.json").write_text("{torn")
    (other_run(out, kept) / "a\udcff").write_text("")


def mark(text: str) -> Callable[[Path, Kept], None]:
    return lambda out, kept: (out / "intdim.json").write_text(text) and None


def everything(out: Path, kept: Kept) -> None:
    for file in list((out / "runs").glob("*/eval.safetensors")):
        file.unlink()


def damaged_is_a_file(out: Path, kept: Kept) -> None:
    (out / "damaged").write_text("mine")
    (other_run(out, kept) / "eval.safetensors").write_bytes(b"torn")


LARGER: dict[str, Callable[[Path, Kept], object]] = {
    "a run of another sweep": swapped,
    "a file in place of a run": file_in_place_of(other_run),
    "a file in place of runs": file_in_place_of(lambda out, kept: out / "runs"),
    "a link to another run": linked,
    "a dangling link as run": dangling,
    "stray files and odd names": odd_names,
    "all answers gone": everything,
    "damaged/ is a file": damaged_is_a_file,
    "a torn intdim.json": mark("{torn"),
    "an empty intdim.json": mark(""),
    "another intdim.json": mark(f'{{"layout_version": {LAYOUT_VERSION + 1}}}'),
    "an older intdim.json": mark(f'{{"layout_version": {LAYOUT_VERSION - 1}}}'),
    "an intdim.json without a version": mark("{}"),
    "intdim.json gone": lambda out, kept: (out / "intdim.json").unlink(),
    "a run gone": lambda out, kept: shutil.rmtree(other_run(out, kept)),
    "all runs gone": lambda out, kept: shutil.rmtree(out / "runs"),
}


@pytest.mark.parametrize("how", LARGER)
@pytest.mark.parametrize("verdict", ["whole", "gone"])
def test_damaged_folders(kept: Kept, out: Path, how: str, verdict: str) -> None:
    LARGER[how](out, kept)
    if verdict == "gone":
        shutil.rmtree(out / "sweeps")
    wrong_mark = str(out / "intdim.json") if "intdim.json" in how and "gone" not in how else ""
    lines = again(out, kept.verdict, f"verdict {verdict}", how, wrong_mark)
    assert not wrong_mark or len(lines) == 1


@pytest.mark.parametrize("how", ["a file", "a link to another", "nothing"])
@pytest.mark.parametrize("level", ["sweeps", "sweep"])
def test_something_in_place_of_a_sweep(kept: Kept, out: Path, level: str, how: str) -> None:
    folder = out / "sweeps" if level == "sweeps" else Ledger(out).sweep_folder(kept.verdict.sweep_id)
    shutil.rmtree(folder)
    if how == "a file":
        folder.write_text("")
    elif how == "a link to another":
        folder.symlink_to(kept.elsewhere / "sweeps" / (kept.foreign.sweep_id if level == "sweep" else ""))
    again(out, kept.verdict, level, how)


def test_answers_that_vanish_while_the_verdict_is_made_are_an_error_that_names_them(kept: Kept, out: Path) -> None:
    """Never a narrower interval: the run was found whole, then its answers went."""
    shutil.rmtree(out / "sweeps")
    world, real = Leaving(), Ledger.answers
    file = other_run(out, kept) / "eval.safetensors"

    def vanishing(self: Ledger, run_id: str) -> object:
        file.unlink(missing_ok=True)
        return real(self, run_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "answers", vanishing)
        with pytest.raises(IntdimError, match=rf"{file} is damaged: it is missing"):
            run_cells([cells.cell(**FEW)], cells.runtime(out), launcher=world.launcher())
    assert not (out / "sweeps").exists()
    assert sweep(out)[0] == kept.verdict
