"""Where runs run: supervised slots on this machine, or the caller's own process."""

from intdim.launch.base import Event, Launcher
from intdim.launch.inprocess import InProcess
from intdim.launch.local import LocalSlots

__all__ = ["Event", "InProcess", "Launcher", "LocalSlots"]
