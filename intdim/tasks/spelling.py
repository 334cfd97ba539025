"""How labels are written: blanks around them go, and two spellings of one class are refused, never merged unasked."""

from __future__ import annotations

import decimal
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from intdim.errors import UserError
from intdim.tasks.echo import quoted, typed

WHOLE = re.compile(r"([+-]?[0-9]+)(\.0*)?")
REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
LONGEST_NUMBER = 400  # characters; Python itself refuses to read 4,300 digits, and 309 are infinity
VISIBLE = ("case", "blanks, case or Unicode form")  # differences that a reader of a message sees
LONGEST_LABEL = 200  # characters; what is longer is a text


def tidy(values: Sequence[Any]) -> tuple[list[Any], int]:
    """Return labels without blanks around them, and how many had any.

    A label of blanks alone is a missing one, a decimal number of a parquet file a plain one.
    """
    made: list[Any] = []
    blanks = 0
    for value in values:
        if isinstance(value, str):
            bare = value.strip()
            blanks += bare != value
            value = bare or None
        elif isinstance(value, decimal.Decimal):
            value = float(value) if not value.is_finite() or value % 1 else int(value)
        made.append(value)
    return made, blanks


def number(value: Any) -> int | float | None:
    """Return the number that a label is or spells: whole ones as int."""
    if isinstance(value, str):
        whole = WHOLE.fullmatch(value.strip())
        if whole is not None and len(whole[1]) <= LONGEST_NUMBER:
            return int(whole[1])
        if REAL.fullmatch(value.strip()) is None:
            return None
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value


def check_classes(train: Sequence[Any], evaluation: Sequence[Any], names: tuple[str, ...]) -> list[str]:
    """Check how the labels of classes are written in both splits, and return what is to be said of them.

    Args:
        train: tidy labels of the training rows; None where there is none.
        evaluation: those of the evaluation rows.
        names: the classes that the user listed: what is listed apart is meant to be apart.

    Raises:
        UserError: two labels differ only in blanks, case or Unicode form, or are one number in two spellings; a label
            is a text; every row has a label of its own.
    """
    rows = Counter(value for value in (*train, *evaluation) if isinstance(value, str))
    words = {label: count for label, count in rows.items() if number(label) is None}
    for label in words:
        if len(label) > LONGEST_LABEL or any(unicodedata.category(one) == "Cc" for one in label):
            raise UserError(
                f"a label is {quoted(label)} ({len(label)} characters)",
                f"labels of at most {LONGEST_LABEL} characters, none of them a control character",
                "Check task.label.",
            )
    _check_alone([value for value in train if value is not None])
    for fold in (_with_separators, _without_blanks):
        _check_words(words, fold, set(names))
    return _check_numbers((train, evaluation), set(names))


def like(word: str, names: Iterable[str]) -> str:
    """Return the name that a word is but for blanks, case or Unicode form, or nothing."""
    for fold in (_without_blanks, _with_separators):
        found = next((name for name in names if fold(name) == fold(word)), "")
        if found:
            return found
    return ""


def _check_alone(values: list[Any]) -> None:
    """Raise ``UserError`` where (nearly) every row has a label of its own, as where a column of ids was named."""
    different = len(set(map(str, values)))
    if len(values) >= 20 and different > 0.9 * len(values):
        raise UserError(
            f"the labels of training have {different} different values in {len(values)} rows",
            "classes with several examples each",
            "Check task.label; for real-valued labels set task.metric=pearson or spearman.",
        )


def _check_words(words: dict[str, int], fold: Callable[[str], str], apart: set[str]) -> None:
    groups: dict[str, list[str]] = {}
    for label in sorted(words, key=lambda one: (-words[one], one)):
        groups.setdefault(fold(label), []).append(label)
    for first, *others in groups.values():
        second = next((other for other in others if not {first, other} <= apart), None)
        if second is not None:
            what = _difference(first, second)
            shown = quoted if what in VISIBLE else ascii
            one, two = (f"{shown(each)} ({words[each]:,} row{'s' * (words[each] != 1)})" for each in (first, second))
            raise UserError(
                f"labels differ only in {what}: {one} and {two}",
                "one spelling for each class",
                f"Repair the data, or list the classes: {_merged(list(groups.values()))} counts spellings as one.",
            )


def _merged(groups: list[list[str]]) -> str:
    """Return the key that takes the spellings of each group as one class, for a shell."""
    names = [" | ".join(group) for group in groups]
    key = typed("task.label_names", names if len(names) <= 4 else [], True)
    return f"{key} with 'one | other' for a class" if key.endswith("[...]") else key


def _check_numbers(sides: tuple[Sequence[Any], Sequence[Any]], apart: set[str]) -> list[str]:
    """Return notes on numbers that are written in several ways; raise ``UserError`` for leading zeros and truths."""
    spellings: dict[int | float, Counter[str]] = {}
    for value in (one for side in sides for one in side if one is not None and one == one):
        found = number(value) if isinstance(value, (str, bool, int, float)) else None
        if found is not None:
            spellings.setdefault(found, Counter())[str(value)] += 1
    notes = []
    for found, written in spellings.items():
        common = [each for each, _ in written.most_common()]
        padded = [each for each in common if LEADING_ZERO.match(each)]
        if len(common) < 2 or set(common) <= apart:
            continue
        truths = [each for each in common if each in ("True", "False")]
        if padded or truths:
            one = next((each for each in common if each not in (padded or truths)), common[0])
            two = next(each for each in (padded or truths) if each != one)
            raise UserError(
                f"labels {quoted(one)} ({written[one]:,} rows) and {quoted(two)} ({written[two]:,} rows) are one "
                "number in two spellings",
                "one spelling for each class",
                "Repair the data, or list every spelling in task.label_names=[...] to keep them apart.",
            )
        shown = " and ".join(quoted(each) for each in common[:3])
        notes.append(f"Labels that are one number in several spellings are one class: {shown} are {found}.")
    return notes[:3]


def _difference(first: str, second: str) -> str:
    if first.lower() == second.lower():
        return "case"
    if "".join(first.split()) == "".join(second.split()):
        return "blanks"
    if unicodedata.normalize("NFKC", first) == unicodedata.normalize("NFKC", second):
        return "Unicode form"
    if _bare(first) == _bare(second):
        return "characters that cannot be seen"
    return "blanks, case or Unicode form"


def _bare(label: str) -> str:
    """Return a label without the characters that cannot be seen, in one Unicode form."""
    normal = unicodedata.normalize("NFKC", label)
    return "".join(one for one in normal if unicodedata.category(one) != "Cf")


def _without_blanks(label: str) -> str:
    return "".join(_bare(label).casefold().strip("\"'`").split())


def _with_separators(label: str) -> str:
    """Return a label in which an underscore, a hyphen between letters and a blank are the same."""
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", _bare(label).casefold().replace("_", " ").strip("\"'`"))
