"""W&B's off-line files hold what the ledger has."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from tests.track import real

BLOCK, HEADER = 32768, 7  # of the log format of LevelDB, in which the file is written after 7 bytes of its own


def records(file: Path) -> list[Any]:
    """Return the records of an off-line run."""
    from wandb.proto import wandb_internal_pb2

    data, place, whole, found = file.read_bytes(), 7, b"", []
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        whole += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # the whole of a record, or its last part
            found.append(wandb_internal_pb2.Record.FromString(whole))
            whole = b""
    return found


def values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def test_offline_runs_have_curves_results_and_verdicts(tmp_path: Path) -> None:
    made = real.sent("wandb", tmp_path / "out")
    files = {path.stem.removeprefix("run-"): path for path in (made.folder / "wandb").glob("offline-run-*/*.wandb")}
    assert set(files) == {made.verdict.sweep_id, *real.run_ids(made.verdict)}

    run = records(files[made.run.run_id])
    (about,) = [record.run for record in run if record.WhichOneof("record_type") == "run"][:1]
    assert (about.project, about.display_name, about.job_type) == ("intdim", made.run.run_id, "run")
    assert values(about.config.update)["d"] == made.run.d
    history = [values(record.history.item) for record in run if record.WhichOneof("record_type") == "history"]
    assert [(line["_step"], line["loss"]) for line in history if "loss" in line] == real.curve("loss")
    summary: dict[str, Any] = {}
    for record in run:
        if record.WhichOneof("record_type") == "summary":
            summary |= values(record.summary.update)
    assert summary["eval_score"] == made.run.eval_score

    words: dict[str, Any] = {}
    for record in records(files[made.verdict.sweep_id]):
        if record.WhichOneof("record_type") == "summary":
            words |= values(record.summary.update)
    assert (words["d90"], words["status"]) == (made.verdict.d90, "found")
