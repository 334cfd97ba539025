"""The driver of d90: measures cells side by side and writes their verdicts.

Killed anywhere, the same command resumes: what a program decides depends on results alone, results are found in the
ledger, and a run that was under way continues from its checkpoint.
"""

from __future__ import annotations

from dataclasses import replace

from intdim.drivers.cells import fit_memory, prepare_sweeps
from intdim.drivers.programs import Failure, Program
from intdim.drivers.session import Session
from intdim.drivers.view import View
from intdim.errors import RunFailed
from intdim.launch import Launcher
from intdim.ledger.verdict import Verdict
from intdim.measurement.program import Measurement
from intdim.measurement.record import make_points, make_verdict
from intdim.request import CellRequest, RuntimeRequest
from intdim.spec import Facts, SweepSpec


def run_cells(
    cells: list[CellRequest], runtime: RuntimeRequest, view: View | None = None, launcher: Launcher | None = None
) -> list[Verdict]:
    """Measure every cell; return the verdicts in the order of the cells.

    Finished runs and verdicts are found in ``runtime.out`` and not repeated.

    Raises:
        UserError: the request makes no sense; nothing has been written to ``runtime.out``.
        RunFailed: some cells could not be measured; the others have their verdicts on disk.
        Interrupted: Ctrl-C; what is finished is kept.
    """
    with Session(runtime, view, launcher, kept="finished runs are kept") as session:
        ledger = session.ledger
        ledger.check()
        sweeps = prepare_sweeps(session, cells)
        known = {spec.sweep_id: found for spec, _ in sweeps if (found := ledger.verdict(spec.sweep_id)) is not None}
        missing = {spec.sweep_id: (spec, prepared) for spec, prepared in sweeps if spec.sweep_id not in known}
        if missing:
            session.find_device()
            fit_memory(session, list(missing.values()))

        session.view.cells([spec for spec, _ in sweeps], known)
        session.view.prepared([prepared for _, prepared in missing.values()])
        programs = [(measure(session, spec, prepared.facts), prepared) for spec, prepared in missing.values()]
        outcomes = session.drive(programs)

        failures = [one for one in outcomes if isinstance(one, Failure)]
        if failures:
            said = sorted({f"run {one.run.run_id} failed: {one.error}" for one in failures})
            raise RunFailed(f"{'; '.join(said)}. Kept: {ledger.out}")
    verdicts = known | {one.sweep_id: one for one in outcomes if isinstance(one, Verdict)}
    # a model or task that has another name now is the same measurement, under the name that was typed
    return [replace(verdicts[spec.sweep_id], model=spec.model.name, task=spec.task.name) for spec, _ in sweeps]


def measure(session: Session, spec: SweepSpec, facts: Facts) -> Program[Verdict]:
    """The program of one cell: measure d90, report progress, write the verdict and return it."""
    ledger, view = session.ledger, session.view
    measurement = Measurement(spec, facts, answers=ledger.answers)
    program, results = measurement.program(), None
    while True:
        try:
            wanted = next(program) if results is None else program.send(results)
        except StopIteration:
            break
        view.cell_progress(spec, measurement)
        results = yield wanted

    verdict = make_verdict(measurement)
    ledger.write_sweep(spec, verdict, make_points(measurement))
    view.verdict(spec, verdict)
    return verdict
