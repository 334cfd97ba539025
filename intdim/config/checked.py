"""Values of a composed configuration with the types they must have; all that is wrong becomes one message."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from intdim.errors import UserError, echo, suggest

LARGEST = 1 << 53  # of whole numbers: JSON and tables keep them all
LONGEST_TEXT = 4096  # characters
LONGEST_PATH = 3600  # bytes: what we put into a folder still fits into the 4,096 of a system
LONGEST_PART = 255  # bytes between the slashes of a path
LONGEST_NAME = 200  # characters of what stands in tables and figures


@dataclass
class Checked:
    """A value and what is wrong with it; collects the faults of a whole configuration."""

    cfg: DictConfig
    faults: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, fact: str, allowed: str) -> None:
        """Note that something is wrong and what would be right."""
        self.faults.append((fact, allowed))

    def _get(self, key: str) -> Any:
        return OmegaConf.select(self.cfg, key)

    def given(self, key: str) -> bool:
        """True where a key has a value."""
        return self._get(key) is not None

    def whole(self, key: str, low: int, none: int | None = None) -> int:
        """A whole number of at least ``low``, perhaps typed 1e5; null or auto gives ``none`` where that is allowed."""
        value = self._get(key)
        if none is not None and (value is None or value == "auto"):
            return none
        number = _whole(value)
        if number is None or number < low or number > LARGEST:
            most = f" and at most {LARGEST:,}" if number is not None and number > LARGEST else ""
            self.fault(f"{key}={_shown(value)}", f"{key} is a whole number of at least {low}{most}")
            return max(low, 1)
        return number

    def real(
        self, key: str, low: float, high: float = math.inf, open_low: bool = False, open_high: bool = False
    ) -> float:
        """A number from ``low`` to ``high``, without the ends that are open."""
        value = self._get(key)
        number = _number(value)
        inside = number is not None and math.isfinite(number) and low <= number <= high
        if number is None or not inside or (open_low and number == low) or (open_high and number == high):
            above = "above" if open_low else "at least"
            below = "below" if open_high else "at most"
            limit = f" and {below} {high:g}" if math.isfinite(high) else ""
            self.fault(f"{key}={_shown(value)}", f"{key} is a number {above} {low:g}{limit}")
            return low + 1.0
        return float(number)

    def reals(self, key: str) -> tuple[float, ...]:
        """A list of different positive numbers, at least one; a single number is a list of one."""
        value = self._get(key)
        items = list(value) if OmegaConf.is_list(value) else [value]
        numbers = [_number(item) for item in items]
        good = [number for number in numbers if number is not None and math.isfinite(number) and number > 0]
        if not good or len(good) < len(items) or len(set(good)) < len(good):
            shown = ", ".join(_shown(item) for item in items)
            self.fault(f"{key}=[{shown}]", f"{key} is a list of different positive numbers, at least one")
            return (1.0,)
        return tuple(good)

    def choice(self, key: str, known: Iterable[str]) -> str:
        """One of the known words."""
        value, words = self._get(key), tuple(known)
        if value not in words:
            self.fault(f"{key}={_shown(value)}", f"{key}: {suggest(_shown(value), words)}")
            return words[0]
        return str(value)

    def path(self, key: str) -> str:
        """A path, absolute: relative ones start where the command was typed; empty where none is given."""
        text = self.text(key)
        return str(self._place(key, text).absolute()) if text else ""

    def out(self) -> Path:
        """The folder of the results, as it was typed; an empty one is a fault and no name for where one is."""
        if not self.text("out"):
            self.fault("out is empty", "out=DIR")
        return self._place("out", self.text("out"))

    def _place(self, key: str, text: str) -> Path:
        """A path that a system can have; ``~`` is written out."""
        try:
            place = Path(text).expanduser()
        except RuntimeError:
            self.fault(f"{key}={echo(text)}, where no home folder is known", f"{key}=DIR without ~")
            return Path()
        bytes_of = [len(os.fsencode(part)) for part in place.absolute().parts]
        if max(bytes_of, default=0) > LONGEST_PART or sum(bytes_of) + len(bytes_of) > LONGEST_PATH:
            allowed = f"{key} is a path of at most {LONGEST_PATH} bytes, with names of at most {LONGEST_PART}"
            self.fault(f"{key}={echo(text)}", allowed)
            return Path()
        return place

    def text(self, key: str, longest: int = LONGEST_TEXT) -> str:
        """A string of at most ``longest`` characters; null is empty, and a number stands for itself."""
        value = self._get(key)
        return "" if value is None else self._string(key, value, longest)

    def name(self, key: str) -> str:
        """A string that names something in tables, figures and messages; see ``check_name``."""
        text = self.text(key)
        return text if self.check_name(key, text) else ""

    def check_name(self, key: str, text: str) -> bool:
        """Note a fault unless a text is short enough for a name, and all of it can be seen."""
        good = len(text) <= LONGEST_NAME and text.isprintable()
        if not good:
            self.fault(f"{key}={echo(text)}", f"{key} is at most {LONGEST_NAME} characters, all of which can be seen")
        return good

    def _string(self, key: str, value: Any, longest: int) -> str:
        try:
            text = str(value)
        except ValueError:  # Python prints no integer of more than 4,300 digits
            text = "9" * (longest + 1)
        if len(text) > longest or "\0" in text:  # no path and no library takes a zero
            self.fault(f"{key}={echo(value)}", f"{key} is a text of at most {longest:,} characters")
            return ""
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; a single one is a list of one."""
        value = self._get(key)
        if value is None:
            return ()
        items = list(value) if OmegaConf.is_list(value) else [value]
        return tuple(self._string(key, item, LONGEST_TEXT) for item in items)

    def switch(self, key: str) -> bool:
        """True or false."""
        value = self._get(key)
        if not isinstance(value, bool):
            self.fault(f"{key}={_shown(value)}", f"{key} is true or false")
        return value is True

    def switch_or_auto(self, key: str) -> str:
        """The word true, false or auto."""
        value = self._get(key)
        if not isinstance(value, bool) and value != "auto":
            self.fault(f"{key}={_shown(value)}", f"{key} is true, false or auto")
        return str(value).lower()

    def done(self) -> None:
        """Raise one ``UserError`` for all that is wrong."""
        if self.faults:
            facts = "; ".join(fact for fact, _ in self.faults)
            allowed = "; ".join(dict.fromkeys(allowed for _, allowed in self.faults))
            raise UserError(facts, allowed, "Correct it on the command line; `--cfg job` shows every value.")


def _whole(value: Any) -> int | None:
    """Return a whole number, perhaps typed 1e5, with every digit; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _number(value)
    if number is None or not math.isfinite(number) or number != int(number):
        return None
    return int(number)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value if isinstance(value, int | float) else str(value))
    except OverflowError:  # an integer of hundreds of digits
        return math.inf
    except ValueError:
        return None


def _shown(value: Any) -> str:
    return "null" if value is None else echo(value)
