"""Tab completion: Hydra's own, taught that a command word comes first."""

from __future__ import annotations

import os

from intdim.errors import IntdimError


def complete(arguments: list[str], commands: tuple[str, ...]) -> int:
    """Serve ``-sc install=bash`` (prints the script) and the ``-sc query=bash`` calls that the script makes."""
    rest = [argument for argument in arguments if argument not in commands]
    if not any(argument.startswith("query=") for argument in arguments):
        _ask_hydra("sweep", rest)
        return 0
    line = os.environ.get("COMP_LINE", "")
    words = line.split(" ")
    command = next((word for word in words[1:-1] if word in commands), None)
    if command is None:  # the command word itself, or a flag of ours
        print(" ".join(name for name in commands if name.startswith(words[-1])))
        return 0
    words.remove(command)
    os.environ["COMP_LINE"] = " ".join(words)
    try:
        _ask_hydra(command, rest)
    except IntdimError:
        return 0  # a line that cannot be read yet has no continuation; a message would land in the prompt
    return 0


def _ask_hydra(command: str, arguments: list[str]) -> None:
    from intdim.cli.compose import compose

    compose(command, "intdim", arguments, lambda cfg: 0)
