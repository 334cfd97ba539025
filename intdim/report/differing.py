"""What differs between sweeps that look alike: settings of their specs, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from intdim.ledger.settings import flat
from intdim.report.records import SweepRecord
from intdim.report.words import subspace_words
from intdim.spec import to_dict

MOST = 3  # settings that are named; the others are counted
LONGEST = 24  # characters of a value
HASH = re.compile(r"[0-9a-f]{16,}")


def differing(records: Sequence[SweepRecord]) -> dict[str, str]:
    """Return by sweep id, for each sweep that has the model, task and subspace of another one, the settings in which
    these differ: ``seed 3, train.max_steps 600``."""
    alike: dict[tuple[str, str, str], list[SweepRecord]] = {}
    for one in records:
        verdict = one.verdict
        alike.setdefault((verdict.model, verdict.task, subspace_words(verdict)), []).append(one)
    found: dict[str, str] = {}
    for group in alike.values():
        if len(group) > 1:
            found |= _differing(group)
    return found


def _differing(group: Sequence[SweepRecord]) -> dict[str, str]:
    settings = [flat(to_dict(one.spec)) for one in group]
    names = list(dict.fromkeys(name for one in settings for name in one))
    differ = [name for name in names if any(one.get(name) != settings[0].get(name) for one in settings)]
    differ.sort(key=lambda name: bool(HASH.fullmatch(str(settings[0].get(name)))))  # what a reader knows comes first
    return {record.sweep_id: _words(differ, one) for record, one in zip(group, settings, strict=True)}


def _words(names: Sequence[str], settings: dict[str, Any]) -> str:
    words = [f"{name} {_value(settings.get(name))}" for name in names[:MOST]]
    if len(names) > MOST:
        words.append(f"and {len(names) - MOST} more")
    return ", ".join(words)


def _value(value: object) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, list | tuple):
        value = "/".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if HASH.fullmatch(text):
        return text[:8]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
