"""The slots of a command, where they are not those of this machine."""

from __future__ import annotations

from omegaconf import DictConfig

from intdim.config import LAUNCHERS, Checked
from intdim.errors import UserError
from intdim.launch import Launcher
from intdim.launch.pool import uses_cuda
from intdim.request import RuntimeRequest


def make_launcher(cfgs: list[DictConfig], runtime: RuntimeRequest) -> Launcher | None:
    """Return the slots that ``launch=`` names; None for those of this machine, which start with the first job.

    Raises:
        UserError: an unknown launcher, or launch=ray without a number of slots and threads, or without Ray.
    """
    check = Checked(cfgs[0])
    name = check.choice("launch.name", LAUNCHERS)
    check.done()
    if name == "local":
        return None
    if not runtime.slots or not runtime.threads:
        raise UserError(
            "launch=ray with launch.slots or launch.threads left open",
            "whole numbers: how many runs at once, and the cores of each",
            "Give launch.slots=N launch.threads=N.",
        )
    from intdim.launch.ray import RaySlots

    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"} if runtime.offline else {}
    gpus = 1.0 if uses_cuda(runtime.device) else 0.0
    return RaySlots(runtime.slots, runtime.threads, gpus=gpus, environment=offline)
