"""A rebuilt model compared with its run: does it give the answers on which the run's score rests?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from intdim.errors import UserError
from intdim.ledger.finished import FinishedRun
from intdim.ledger.results import Answers
from intdim.run.build import fitting
from intdim.run.evaluation import predict
from intdim.run.objective import find_objective
from intdim.run.precision import as_computed
from intdim.tasks.stored import TaskData, load_task

COMPARED = 1024  # answers at most, evenly spaced
LEAST = 0.98  # share that must be the same where device and precision are: only near ties may fall otherwise
SCORE_TOLERANCE = 1e-2  # of real scores, in units of their standard deviation


@dataclass(frozen=True)
class Comparison:
    """``same`` of ``compared`` stored answers are given again; ``why`` says why none could be compared, or what was
    different (the device, the precision)."""

    same: int
    compared: int
    why: str = ""

    @property
    def sentence(self) -> str:
        """What is said of it."""
        if not self.compared:
            return f"not compared with the run's stored answers: {self.why}"
        all_or_some = "all" if self.same == self.compared else f"{self.same} of"
        return f"gives {all_or_some} {self.compared} stored answers of the run" + (f" ({self.why})" if self.why else "")


def data_of(run: FinishedRun) -> TaskData | str:
    """Return the prepared task of a run, or why it cannot be had."""
    folder = Path(run.runtime.task_folder)
    if not folder.is_dir():
        return f"the prepared task {folder} is not there any more"
    try:
        data = load_task(folder)
    except UserError as error:
        return error.parts[0]
    return data if data.spec == run.spec.task else f"{folder} holds another task now"


def compare(model: nn.Module, run: FinishedRun, data: TaskData | str) -> Comparison:
    """Return how many of a run's stored answers a rebuilt model gives again.

    Args:
        model: on the CPU, where it stays.
        run: the run.
        data: of ``data_of``.

    Raises:
        UserError: it gives other answers than the run did, on the same kind of device in the same precision.
    """
    answers = Answers.read(run.folder)
    if isinstance(data, str) or answers is None:
        return Comparison(0, 0, data if isinstance(data, str) else "they are not there any more")

    spec, wanted = run.spec, run.runtime.device
    device = wanted if wanted != "cuda" or torch.cuda.is_available() else "cpu"
    precision = spec.train.precision if device == wanted else "float32"
    chosen = np.unique(np.linspace(0, len(data.score_half) - 1, min(COMPARED, len(data.score_half))).astype(int))
    fitted = fitting(data, model)
    computed = as_computed(model, spec, answers.step) if device == wanted else model
    try:
        predictions, _ = predict(
            computed.to(device),
            fitted.evaluation,
            data.score_half[torch.from_numpy(chosen)],
            objective=find_objective(spec.task.objective),
            pad_id=data.pad_id,
            batch_size=max(64, 2 * spec.train.batch_size),
            precision=precision,
            device=torch.device(device),
        )
    finally:
        model.to("cpu")

    given = answers.of_kept_step
    same = count_same(predictions.numpy(), given[chosen], given)
    if device == wanted and same < LEAST * len(chosen):
        raise UserError(
            f"the rebuilt model gives {same} of {len(chosen)} answers that run {spec.run_id} recorded, not all",
            "a model whose answers follow from its weights",
            "Nothing was written. Make the run again; if it stays so, the model keeps something beside its weights.",
        )
    why = "" if device == wanted else f"made on {wanted} in {spec.train.precision}, compared on {device} in {precision}"
    return Comparison(same, len(chosen), why)


def count_same(found: np.ndarray, wanted: np.ndarray, all_wanted: np.ndarray) -> int:
    """Count equal answers; of real scores, those that differ by rounding (``all_wanted`` gives their spread)."""
    if not np.issubdtype(wanted.dtype, np.floating):
        return int((found == wanted).sum())
    return int((np.abs(found - wanted) <= SCORE_TOLERANCE * max(float(all_wanted.std()), 1e-6)).sum())
