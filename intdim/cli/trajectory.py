"""The group ``trajectory=``: cells over checkpoints of models that are pre-trained first."""

from __future__ import annotations

import math
import os
from pathlib import Path

from omegaconf import DictConfig

from intdim.cli.config_files import read_config
from intdim.cli.overrides import conf_folder
from intdim.cli.pretrain import pretrain_job
from intdim.config import Checked
from intdim.drivers.trajectory import Size, TrajectoryRequest, cells_along, made_models, pretrain_models
from intdim.drivers.view import View
from intdim.errors import UserError
from intdim.launch.jobs import PretrainJob
from intdim.request import CellRequest, RuntimeRequest


def along_trajectory(
    cfgs: list[DictConfig], cells: list[CellRequest], runtime: RuntimeRequest, view: View, *, train: bool
) -> list[CellRequest]:
    """Return the cells of a command: as they are, or each once for every checkpoint of its trajectory.

    Args:
        cfgs: the configurations of the cells.
        cells: the cells as ``model=`` has them.
        runtime: where models are kept (``out``) and how many slots there may be.
        view: receives progress events of pre-training.
        train: pre-train what is missing; otherwise that is an error.

    Raises:
        UserError: the trajectory makes no sense, the cells differ in it, or ``out`` holds another of its name.
        RunFailed: a pre-training failed.
    """
    made = {trajectory_request(cfg) for cfg in cfgs}
    if made == {None}:
        return cells
    if len(made) > 1:
        raise UserError("the cells of this grid differ in trajectory", "one trajectory for a grid", "")
    request = made.pop()
    assert request is not None
    if train:
        draw_losses(pretrain_models(request, recipe(), cells, runtime, view), view)
    else:
        missing = [model.name for model in made_models(request, Path(runtime.out)) if not model.complete]
        if missing:
            raise UserError(
                f"{len(missing)} of the models of trajectory={request.name} are not pre-trained in {runtime.out}",
                "a plan times the models themselves",
                f"`intdim sweep` pre-trains them first: {len(request.sizes)} sizes, {request.steps:,} updates each.",
            )
    return cells_along(request, cells, Path(runtime.out))


def recipe() -> PretrainJob:
    """Return what ``intdim pretrain`` does where nothing is typed."""
    mine = os.environ.get("INTDIM_CONFIG_PATH")
    files = [Path(folder).expanduser() / "pretrain.yaml" for folder in (mine, conf_folder()) if folder]
    return pretrain_job(read_config(next(file for file in files if file.is_file())))


def draw_losses(folders: list[Path], view: View) -> None:
    """Draw the loss curves of pre-trainings that have none yet; ``view`` is told what cannot be drawn."""
    for folder in folders:
        if (folder / "metrics.jsonl").exists() and not (folder / "loss.pdf").exists():
            from intdim.report import try_losses

            undrawn = try_losses(folder)
            if undrawn:
                view.note(undrawn)


def trajectory_request(cfg: DictConfig) -> TrajectoryRequest | None:
    """Return the typed trajectory of a configuration, None where there is none.

    Raises:
        UserError: all that is wrong with it, in one message.
    """
    check = Checked(cfg)
    if check.text("trajectory.name") in ("", "none"):
        return None
    names = check.texts("trajectory.sizes")
    columns = {key: _integers(check, f"trajectory.{key}") for key in ("hidden_size", "layers", "heads")}
    if not names or len(set(names)) < len(names) or any(not name.isalnum() for name in names):
        check.fault(
            f"trajectory.sizes=[{', '.join(names)}]", "trajectory.sizes must be different words of letters and digits"
        )
    for key, values in columns.items():
        if len(values) != len(names):
            check.fault(f"{len(values)} trajectory.{key} for {len(names)} sizes", "one for each of trajectory.sizes")
    rows = zip(names, *columns.values(), strict=False)
    sizes = tuple(Size(name, hidden, layers, heads) for name, hidden, layers, heads in rows)
    for size in sizes:
        if size.hidden_size % size.heads:
            check.fault(
                f"hidden_size={size.hidden_size}, heads={size.heads}", "each hidden size a multiple of its heads"
            )
    steps = check.whole("trajectory.steps", 1)
    checkpoints = _integers(check, "trajectory.checkpoints")
    if list(checkpoints) != sorted(set(checkpoints)) or (checkpoints and checkpoints[-1] >= steps):
        shown = ", ".join(map(str, checkpoints))
        check.fault(f"trajectory.checkpoints=[{shown}]", f"increasing integers below trajectory.steps={steps}")
    along = check.text("trajectory.along")
    if names and along not in names:
        check.fault(f"trajectory.along={along}", f"one of trajectory.sizes: {', '.join(names)}")
    request = TrajectoryRequest(
        name=check.text("trajectory.name"),
        sizes=sizes,
        along=along,
        checkpoints=checkpoints,
        steps=steps,
        vocab_size=check.whole("trajectory.vocab_size", 100),
        window=check.whole("trajectory.window", 16),
        batch_size=check.whole("trajectory.batch_size", 2),
        learning_rate=check.real("trajectory.learning_rate", 0.0, open_low=True),
        seed=check.whole("seed", 0),
    )
    check.done()
    return request


def _integers(check: Checked, key: str) -> tuple[int, ...]:
    """Return a list of integers of at least 1, which may repeat and may be empty."""
    words, made = check.texts(key), []
    for word in words:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not (number >= 1 and number < math.inf and number == math.floor(number)):
            check.fault(f"{key}=[{', '.join(words)}]", f"{key} must be integers of at least 1")
            return ()
        made.append(int(number))
    return tuple(made)
