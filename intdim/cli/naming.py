"""What the cells of a command are called: by the facts in which they differ; what they share is said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from intdim.cli.plain import short
from intdim.spec import RunSpec, SweepSpec

OF_ALL = ("model", "task")  # facts that full fine-tuning has as well


class Names:
    """The names of cells and of their runs.

    Args:
        specs: the cells of one command.

    Attributes:
        shared: the facts that all cells share, in words.
    """

    def __init__(self, specs: Sequence[SweepSpec] = ()) -> None:
        facts = [_facts(spec) for spec in specs]
        self._differ = [name for name in (facts[0] if facts else ()) if len({one[name] for one in facts}) > 1]
        self.shared = " · ".join(
            value for name, value in (facts[0] if facts else {}).items() if name not in self._differ and value != "none"
        )
        words = Counter(self._words(spec) for spec in specs)
        self._seeds = any(number > 1 for number in words.values())

    def cell(self, spec: SweepSpec) -> str:
        """Return what tells a cell from the others; "" for the only one."""
        seed = [f"seed {spec.seed}"] if self._seeds else []
        return " · ".join([word for word in (self._words(spec), *seed) if word])

    def line(self, spec: SweepSpec) -> str:
        """Return the beginning of the id of a cell, and what tells it from the others."""
        return f"{short(spec.sweep_id)} {self.cell(spec)}".strip()

    def run(self, spec: RunSpec) -> str:
        """Return what a run is for, without id and seed: ``did d=681 s=3``, ``full lr=0.001``; of a grid whose cells
        differ in more, those facts first."""
        full = spec.subspace.method == "full"
        facts = _facts(spec)
        differ = [facts[name] for name in self._differ if name in OF_ALL or not full]
        if full:
            return " ".join([*differ, f"full lr={spec.learning_rate:g}"])
        method = [] if "method" in self._differ else [spec.subspace.method]
        return " ".join([*differ, *method, f"d={spec.d}", f"s={spec.step_length:.3g}"])

    def _words(self, spec: SweepSpec) -> str:
        facts = _facts(spec)
        return " · ".join(facts[name] for name in self._differ if facts[name] != "none")


def _facts(spec: SweepSpec | RunSpec) -> dict[str, str]:
    where = spec.subspace
    return {
        "model": spec.model.name,
        "task": spec.task.name,
        "method": where.method,
        "projection": where.projection,
        "scope": where.scope,
        "groups": where.groups,
    }
