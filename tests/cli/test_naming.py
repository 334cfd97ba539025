"""Cells and runs are named by what tells them apart."""

from __future__ import annotations

from dataclasses import replace

from intdim.cli.naming import Names
from intdim.measurement.program import Measurement
from intdim.spec import SubspaceSpec, SweepSpec
from tests import cells

SAID = SubspaceSpec("said", "fastfood", "global", "layer", ())


def test_a_single_cell_has_everything_in_common() -> None:
    spec = cells.sweep()
    names = Names([spec])
    assert names.shared == "tiny · docstrings-package · did · one_hot · global · layer"
    assert (names.cell(spec), names.line(spec)) == ("", spec.sweep_id[:8])


def test_cells_of_a_grid_are_named_by_what_differs() -> None:
    one = cells.sweep()
    other = replace(one, subspace=SAID)
    names = Names([one, other])
    assert names.shared == "tiny · docstrings-package · global · layer"
    assert [names.cell(spec) for spec in (one, other)] == ["did · one_hot", "said · fastfood"]
    assert names.line(other) == f"{other.sweep_id[:8]} said · fastfood"


def test_cells_that_differ_in_their_seed_alone_say_it() -> None:
    specs = [replace(cells.sweep(), seed=seed) for seed in (0, 3)]
    names = Names(specs)
    assert [names.cell(spec) for spec in specs] == ["seed 0", "seed 3"]


def test_runs_are_named_by_what_they_are_for() -> None:
    one: SweepSpec = cells.sweep()
    measurement = Measurement(one, cells.prepared().facts)
    full, inside = measurement.full_run(1e-3, 0), measurement.inside_run(64, 3.0, 0)
    alone = Names([one])
    assert (alone.run(full), alone.run(inside)) == ("full lr=0.001", "did d=64 s=3")
    grid = Names([one, replace(one, subspace=SAID), replace(one, task=replace(one.task, name="other"))])
    assert grid.run(full) == "docstrings-package full lr=0.001", "all weights have no projection"
    assert grid.run(inside) == "docstrings-package did one_hot d=64 s=3"
