"""Which columns are text, where the user did not say: those that hold words, unless one looks like something else.

A label written twice (``label_text``), an answer of another model, a number of the row, a date or a language is a
column of words too. Read as text it gives a wrong number without a word, so wherever a column looks like one of these,
or there are more than two, the user is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from intdim.errors import UserError
from intdim.tasks.echo import listed, plain, quoted, typed
from intdim.tasks.spelling import REAL

LONGEST_NAME = 200  # characters of a column's name
NEARLY_ALL = 0.95  # share of the values that look alike
DETERMINED = 0.99  # share of repeated values that come with the label of their first occurrence
BY_CHANCE = 0.2  # share of the errors of the commonest label that is far better than chance
ENOUGH = 8  # values; of fewer nothing is concluded
MANY = 50  # rows; of fewer, the length of texts says little
SAME = 0.9  # share of rows in which two columns say the same
WORDS_OF_A_SENTENCE, LETTERS_OF_A_SENTENCE = 4, 20  # the median text has so many of either

# Parts of names (``label_text``, ``goldLabel``) that say what a column is.
NAMES = {
    "label labels class classes category categories target targets tag tags gold answer answers": "the label again",
    "prediction predictions predicted pred preds": "a prediction",
    "id ids idx index guid uid uuid rowid": "an id",
    "date datetime time timestamp created updated": "a date",
    "lang langs language languages locale": "a language",
    "url uri link path file filename filepath": "an address or a path",
    "split fold subset": "a split",
}
KINDS = {part: kind for parts, kind in NAMES.items() for part in parts.split()}

MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DAY = rf"(\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|\d{{1,2}}\.? {MONTH},? \d{{2,4}}|{MONTH} \d{{1,2}},? \d{{2,4}})"
CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?( ?z| ?[+-]\d{2}:?\d{2}| utc| gmt)?"
PATTERNS = {
    "dates": re.compile(rf"({DAY}([t ,]+{CLOCK})?|{CLOCK})", re.IGNORECASE),
    "addresses or paths": re.compile(r"([a-z][a-z+.-]*://\S+|www\.\S+|[\w.~-]*([/\\][\w.%~-]+)+)", re.IGNORECASE),
    "JSON": re.compile(r"\{.*\}|\[.*\]", re.DOTALL),
    "numbers": re.compile(r"[\W\d_]*\d[\W\d_]*[a-z]{0,5}", re.IGNORECASE),
}
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")
ID = re.compile(r"[A-Za-z0-9_.:#@-]+")


def find_text(frame: pd.DataFrame, label: str) -> tuple[str, ...]:
    """Return the one or two columns, other than the label, that hold text.

    Raises:
        UserError: there is none, there are more than two, or one of them does not look like text; the message names
            them all and says what each looks like.
    """
    found: dict[str, str] = {}
    empty = []
    for name in map(str, frame.columns):
        values = [value for value in frame[name].tolist() if value is not None]
        empty += [name] if not values else []
        if name != label and _holds_words(values):
            found[name] = suspicion(name, frame[name].tolist(), frame[label].tolist())
    _mark_copies(frame, found)
    _mark_short(frame, found)
    if len(found) in (1, 2) and not any(found.values()):
        return tuple(found)
    if len(found) == 1 and holds_sentences(_strings(frame, *found)) and giving_away(frame, list(found), label):
        return tuple(found)  # sentences that give their label away are the task, perhaps an easy one: that is a warning

    blank = f" ({listed(empty)}: nothing in all {len(frame)} rows)" if empty else ""
    shown = ", ".join(plain(name) + (f" ({why})" if why else "") for name, why in list(found.items())[:6])
    fitting = [name for name, why in found.items() if not why]
    example = typed("task.text", fitting if len(fitting) in (1, 2) else [], True)
    raise UserError(
        f"{len(found)} column{'s hold' if len(found) != 1 else ' holds'} text{': ' if found else ''}{shown}"
        f"{', ...' if len(found) > 6 else ''}{blank}; which are meant?",
        f"one or two text columns. Columns there are: {listed(map(str, frame.columns), 12)}",
        f"Name them with {example} and the label with task.label=...",
    )


def suspicion(name: str, values: Sequence[Any], labels: Sequence[Any]) -> str:
    """Return what a column of words looks like other than text (a few words), or nothing.

    Args:
        name: of the column.
        values: of all rows; None where there is none.
        labels: of all rows, as they stand in the data.
    """
    strings = [value.strip() for value in values if isinstance(value, str)]
    others = [value for value in values if value is not None and not isinstance(value, str)]
    if others:
        return f"also holds {len(others)} of type {type(others[0]).__name__}"
    why = determines(values, labels) or (_looks(strings) if len(strings) >= ENOUGH else "")
    if not why:
        kind = next((KINDS[part] for part in _parts(name) if part in KINDS), "")
        why = f"by its name {kind}" if kind else ""
    return why


def determines(values: Sequence[Any], labels: Sequence[Any]) -> str:
    """Say so where a column gives the label away: few different values, each with one label.

    Every repetition of a value is asked whether it has the label that the value has most often. Sentences repeat too
    seldom to be asked, and a value says nothing where chance alone would agree as often.
    """
    rows = [(str(value).strip(), str(label).strip()) for value, label in zip(values, labels, strict=True) if value]
    each = Counter(value for value, _ in rows)
    few = len(rows) / (10 if holds_sentences([value for value, _ in rows]) else 2)  # sentences may stand there twice
    if len(rows) < ENOUGH or len(each) > few:
        return ""
    commonest = Counter(label for _, label in rows).most_common(1)[0][1]
    best: dict[str, int] = {}
    for (value, _), count in Counter(rows).items():
        best[value] = max(best.get(value, 0), count)

    repeated = len(rows) - len(each)
    odd = repeated - sum(count - 1 for count in best.values())
    allowed = min(1 - DETERMINED, BY_CHANCE * (1 - commonest / len(rows)))
    if commonest == len(rows) or odd > allowed * repeated:
        return ""
    counted = f"{len(each)} different value{'s' * (len(each) != 1)} in {len(rows)} rows"
    return f"determines the label: {counted}, such as {quoted(next(iter(each)), 20)}"


def giving_away(frame: pd.DataFrame, text: Sequence[str], label: str) -> list[str]:
    """Return a warning for each text column that has few values, each with one label."""
    said = [(name, determines(frame[name].tolist(), frame[label].tolist())) for name in text]
    return [f"The text column {quoted(name)} {why}." for name, why in said if why]


def holds_sentences(strings: Sequence[str]) -> bool:
    """Tell whether the median text is long enough for a sentence, in words or, without blanks, in letters."""
    words = sorted(len(text.split()) for text in strings)
    letters = sorted(len(text) for text in strings)
    half = len(strings) // 2
    return words[half] >= WORDS_OF_A_SENTENCE or letters[half] >= LETTERS_OF_A_SENTENCE


def check_names(names: Sequence[str]) -> None:
    """Raise ``UserError`` for a column whose name is no name: control characters, or hundreds of letters."""
    for name in names:
        if len(name) > LONGEST_NAME or any(ord(one) < 32 or ord(one) == 127 for one in name):
            raise UserError(
                f"a column is called {quoted(name)} ({len(name)} characters)",
                f"names of at most {LONGEST_NAME} characters, none of them a control character",
                "Rename the column.",
            )


def _strings(frame: pd.DataFrame, name: str) -> list[str]:
    return [value.strip() for value in frame[name].tolist() if isinstance(value, str)]


def _holds_words(values: list[Any]) -> bool:
    """True for a column with strings in it that are not all numbers."""
    strings = [value for value in values if isinstance(value, str)]
    mostly = len(strings) >= len(values) / 2
    return bool(strings) and mostly and not all(REAL.fullmatch(value.strip()) for value in strings)


def _looks(strings: list[str]) -> str:
    """Say what values that are no sentences look like."""
    different = len(set(strings))
    if different == 1:
        return f"the same in all rows: {quoted(strings[0], 20)}"
    for kind, pattern in PATTERNS.items():
        if sum(pattern.fullmatch(text) is not None for text in strings) >= NEARLY_ALL * len(strings):
            return f"holds {kind}, such as {quoted(strings[0], 20)}"
    if holds_sentences(strings) and any(" " in text for text in strings):
        return ""
    few = different * 10 <= len(strings)
    if few and all(LANGUAGE.fullmatch(text) for text in strings):
        return f"looks like languages: {listed(sorted(set(strings)), 4)}"
    if few and not holds_sentences(strings):
        return f"{different} different values in {len(strings)} rows, such as {quoted(strings[0], 20)}"
    alone = different >= NEARLY_ALL * len(strings) and all(ID.fullmatch(text) for text in strings)
    return f"looks like an id: all different, no blanks, such as {quoted(strings[0], 20)}" if alone else ""


def _mark_copies(frame: pd.DataFrame, found: dict[str, str]) -> None:
    """Note of two columns that say the same that the second one does."""
    names = list(found)
    for at, name in enumerate(names):
        for other in names[:at]:
            pairs = zip(frame[name].tolist(), frame[other].tolist(), strict=True)
            same = sum(_folded(one) == _folded(two) for one, two in pairs)
            if not found[name] and same >= SAME * len(frame):
                found[name] = f"says the same as {plain(other)}"


def _mark_short(frame: pd.DataFrame, found: dict[str, str]) -> None:
    """Note of two columns, of which one alone holds sentences, that the other does not: a name, a place, a topic."""
    if len(found) != 2 or any(found.values()) or len(frame) < MANY:
        return
    short = [name for name in found if not holds_sentences(_strings(frame, name))]
    if len(short) == 1:
        found[short[0]] = f"holds no sentences, such as {quoted(_strings(frame, short[0])[0], 20)}"


def _folded(value: Any) -> str:
    return "".join(str(value).casefold().split())


def _parts(name: str) -> list[str]:
    """Return the parts of a name: ``goldLabel_text`` has gold, label and text."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [re.sub(r"\d+$", "", part) for part in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if part]
