"""What ``out`` holds of a pre-training: is it this one, another, or none, and how far has it come?"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intdim import durable
from intdim.errors import UserError
from intdim.ledger.records import read_text
from intdim.pretrain.objectives import identity
from intdim.pretrain.texts import Corpus
from intdim.request import PretrainConfig, Start
from intdim.spec import digest

FILE = "pretrain.json"
HOW = ("device", "threads")  # of the configuration: how it runs, not what it is
OURS = ("tokenizer", "final", "metrics.jsonl", "state.safetensors")  # and step-*


@dataclass
class State:
    """How far a pre-training is: steps taken, time spent, sums of losses over the ``counted`` steps since the last
    report, tokens seen, and places of batches, which hold a token or padding."""

    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    tokens: int = 0
    places: int = 0

    @property
    def padding(self) -> float:
        """The share of places that held no token."""
        return round(1 - self.tokens / self.places, 4) if self.places else 0.0


def make_record(corpus: Corpus, config: PretrainConfig, start: Start | None) -> dict[str, Any]:
    """Return the content of pretrain.json: the configuration and, by content, the corpus and the start.

    Raises:
        UserError: the configuration of ``start`` cannot be read.
    """
    record = {"config": dataclasses.asdict(config), "corpus": corpus.name, "fingerprint": corpus.fingerprint}
    return record | ({"start": identity(start)} if start else {})


def identity_of(record: dict[str, Any]) -> str:
    """Return a hash of what a pre-training is, whatever it runs on."""
    config = {name: value for name, value in record["config"].items() if name not in HOW}
    return digest(record | {"config": config})


def same_record(out: Path, record: dict[str, Any]) -> bool:
    """True where pretrain.json can be read and is of this pre-training."""
    try:
        known = durable.read_json(out / FILE)
        return identity_of(known) == identity_of(record)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Write pretrain.json.

    Raises:
        UserError: ``out`` cannot be written.
    """
    try:
        durable.write_json(out / FILE, record)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise _unwritable(out, error) from None


def resumes(out: Path, record: dict[str, Any]) -> bool:
    """Return whether ``out`` holds this pre-training already.

    Raises:
        UserError: it holds something else, or cannot be read.
    """
    try:
        known = durable.read_json(out / FILE)
        there = [name for name in OURS if (out / name).exists()] + [entry.name for entry in out.glob("step-*")]
    except OSError as error:
        raise _unwritable(out, error) from None
    except ValueError:
        known, there = {}, []

    if known is None and there:
        raise UserError(
            f"{out} holds {', '.join(there[:3])}, but no pre-training that could be resumed",
            "a new or empty folder, or one of an earlier `intdim pretrain`",
            "Choose another out.",
        )
    if known is None:
        return False

    known = known if isinstance(known, dict) else {}
    values = known.get("config")
    values = values if isinstance(values, dict) else {}
    known = known | {"config": values | {name: record["config"][name] for name in HOW}}
    if known != record:
        differs = [name for name, value in record["config"].items() if known["config"].get(name) != value]
        differs += [name for name in ("corpus", "fingerprint", "start") if known.get(name) != record.get(name)]
        raise UserError(
            f"{out} holds another pre-training ({', '.join(differs[:4]) or 'its record is damaged'} differ)",
            "the same configuration and corpus",
            "Choose another out.",
        )
    return True


def keep_metrics(file: Path, step: int) -> None:
    """Drop the lines of a metrics.jsonl after ``step`` (and a torn one): those steps are taken again."""
    if not file.exists():
        return
    lines = []
    for line in read_text(file).splitlines():
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
            if json.loads(line)["step"] <= step:
                lines.append(line + "\n")
    durable.write_text(file, "".join(lines))


def _unwritable(out: Path, error: OSError) -> UserError:
    return UserError(f"{out} cannot be written: {error.strerror}", "a writable folder", "Choose another out.")
