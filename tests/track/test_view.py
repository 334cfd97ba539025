"""A sweep tells a tracker of everything, and no tracker can change, stop or delay the sweep."""

from __future__ import annotations

import functools
import time
from collections import Counter
from pathlib import Path

import pytest

from intdim.errors import UserError
from intdim.ledger.results import RunResult
from intdim.ledger.verdict import Verdict
from intdim.track import base, sender, view
from intdim.track.sender import Sender
from intdim.track.view import replay, tracked
from tests import cells
from tests.drivers.played import Noting
from tests.track import ledgers
from tests.track.fake_tracker import received


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch):
    """Give a function that puts a fake in place of every tracker's process."""

    def put(manner: str, **limits: float) -> None:
        program = ("-m", "tests.track.fake_tracker", manner)
        monkeypatch.setattr(view, "Sender", functools.partial(Sender, program=program, **limits))
        monkeypatch.setattr(base, "installed", lambda: ["tensorboard"])

    return put


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """The verdict without a tracker."""
    return ledgers.measured(tmp_path_factory.mktemp("plain"))


def measured(out: Path, world: cells.Simulated | None = None) -> tuple[Verdict, list[str]]:
    """Measure with a tracker; return the verdict and what is said of the tracker."""
    noting = Noting()
    with tracked(noting, ledgers.request(), str(out)) as watched:
        verdict = ledgers.measured(out, watched, world)
    return verdict, [note for note in noting.notes if note.startswith("track=")]


def test_a_tracker_receives_every_run_with_its_curve_and_the_verdict(tmp_path: Path, fake) -> None:
    fake("good")
    verdict, notes = measured(tmp_path)
    assert notes == []
    got = received(tmp_path / "received.jsonl")
    ended = {(line[1], line[2]): line for line in got if line[0] == "end"}
    runs = {*verdict.run_ids, *verdict.baseline_run_ids, *verdict.other_run_ids}
    assert set(ended) == {("sweep", verdict.sweep_id), *(("run", name) for name in runs)}
    assert Counter(line[0] for line in got)["begin"] == len(ended), "each once"

    numbers, words = ended["sweep", verdict.sweep_id][3:5]
    assert {name: numbers[name] for name in ("d90", "threshold", "baseline_mean")} == {
        "d90": verdict.d90, "threshold": verdict.threshold, "baseline_mean": verdict.baseline_mean,
    }  # fmt: skip
    assert words["status"] == verdict.status == "found"
    assert words["run_ids"].split() == verdict.run_ids

    run_id = verdict.run_ids[0]
    result = ledgers.read(RunResult, tmp_path / "runs" / run_id / "result.json")
    numbers = ended["run", run_id][3]
    assert [numbers[name] for name in ("d", "step_length", "seed", "eval_score")] == [
        result.d, result.step_length, result.seed, result.eval_score,
    ]  # fmt: skip
    curve = [line[3:] for line in got if line[0] == "log" and line[2] == run_id]
    assert curve == [[line["step"], {k: v for k, v in line.items() if k != "step"}] for line in ledgers.CURVE]


def test_a_second_command_sends_nothing_again(tmp_path: Path, fake) -> None:
    fake("good")
    measured(tmp_path)
    before = received(tmp_path / "received.jsonl")
    _, notes = measured(tmp_path)
    replay(ledgers.request(), tmp_path, [path.name for path in (tmp_path / "sweeps").iterdir()], notes.append)
    assert received(tmp_path / "received.jsonl") == [*before, ["close"], ["close"]]
    assert notes == []


def test_a_replay_sends_what_a_live_command_does(tmp_path: Path, fake) -> None:
    fake("good")
    live, later = tmp_path / "live", tmp_path / "later"
    measured(live)
    verdict, said = ledgers.measured(later), []
    replay(ledgers.request(), later, [verdict.sweep_id], said.append)
    assert said == []
    parts = [{str(line) for line in received(out / "received.jsonl") if line[0] != "close"} for out in (live, later)]
    assert len(parts[0]) > 30
    assert parts[0] == parts[1]


@pytest.mark.parametrize(
    ("manner", "why"),
    [
        ("refuses", "PermissionError: no such project"),
        ("raises", "ConnectionError: you are not logged in second line"),
        ("exits", "SystemExit: bye"),
        ("dies", "its process died"),
        ("hangs", "it has not answered for 1 s"),
        ("deaf", "it has not answered for 1 s"),
    ],
)
def test_a_tracker_that_fails_is_left_alone_with_one_line(
    tmp_path: Path, fake, plain: Verdict, manner: str, why: str
) -> None:
    fake(manner, patience=1.0 if manner in ("hangs", "deaf") else 60.0)
    out = tmp_path / "out"
    verdict, notes = measured(out)
    assert verdict == plain
    (line,) = notes
    assert "\n" not in line
    assert line.startswith(f"track=tensorboard is left alone: {why}")
    assert line.endswith(f"intdim report track=tensorboard out={out}")


def test_no_event_waits_for_a_deaf_tracker(tmp_path: Path, fake) -> None:
    fake("deaf")
    sender = view.Sender(ledgers.request(), tmp_path)
    sender.post(("ended", "run", "0" * 16))  # which starts it
    begun = time.process_time()
    for number in range(5000):
        sender.post(("ended", "run", f"{number:016x}"))
    spent = time.process_time() - begun
    assert sender.dropped == 5001 - sender.limit - 16
    assert spent < 2.5, "half a millisecond an event, of which most is a read of an empty pipe"
    begun = time.monotonic()
    sender.close(0.5)
    assert time.monotonic() - begun < 5
    assert "0.5 s after the end" in sender.trouble


def test_a_slow_tracker_gets_everything_in_the_end(tmp_path: Path, fake) -> None:
    fake("slow")
    verdict, notes = measured(tmp_path)
    assert notes == []
    got = received(tmp_path / "received.jsonl")
    assert ["sweep", verdict.sweep_id] in [line[1:3] for line in got if line[0] == "end"]


def test_a_tracker_without_room_is_behind_and_a_replay_completes_it(
    tmp_path: Path, fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WINDOW", 1)
    fake("slower", limit=2)
    verdict, notes = measured(tmp_path)
    assert "was too slow for" in notes[0]
    fake("good")
    replay(ledgers.request(), tmp_path, [verdict.sweep_id], notes.append)
    assert len(notes) == 1
    ended = Counter(line[2] for line in received(tmp_path / "received.jsonl") if line[0] == "end")
    assert set(ended.values()) == {1}
    assert set(ended) >= {verdict.sweep_id, *verdict.run_ids, *verdict.baseline_run_ids}


def test_a_tracker_that_lingers_is_ended(tmp_path: Path, fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("lingers")
    monkeypatch.setattr(view, "AT_THE_END", 8.0)
    begun = time.monotonic()
    _, notes = measured(tmp_path)
    assert "it did not end well" in notes[0]
    assert time.monotonic() - begun < 30


def test_a_run_that_broke_is_sent_when_it_is_made(tmp_path: Path, fake, plain: Verdict) -> None:
    fake("good")
    world = ledgers.Curved()
    wanted = plain.run_ids[0]
    world.fail = {wanted}
    with pytest.raises(Exception, match=wanted):
        measured(tmp_path / "out", world)
    measured(tmp_path / "out")
    ends = [line for line in received(tmp_path / "out" / "received.jsonl") if line[0] == "end" and line[2] == wanted]
    assert [line[5] for line in ends][-1] is False


def test_none_is_no_tracker_and_a_missing_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noting = Noting()
    with tracked(noting, ledgers.request("none"), str(tmp_path)) as watched:
        assert watched is noting
    monkeypatch.setattr(base, "installed", lambda: ["mlflow"])
    with (
        pytest.raises(UserError, match=r"wandb is not installed\n.*mlflow\npip install 'intdim\[wandb\]'"),
        tracked(noting, ledgers.request("wandb"), str(tmp_path)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []
