"""Tab completion: Hydra's own, taught that a command word comes first."""

from __future__ import annotations

import os


def complete(arguments: list[str], commands: tuple[str, ...]) -> int:
    """Serve ``-sc install=bash`` (prints the script) and the ``-sc query=bash`` calls that the script makes."""
    query = any("query=" in argument for argument in arguments)
    line = os.environ.get("COMP_LINE", "")
    command = "sweep"
    if query:
        words = line.split()
        typed = next((word for word in words[1:] if word in commands), None)
        if typed is None:
            begun = "" if len(words) < 2 or line.endswith(" ") else words[-1]
            print("\n".join(name for name in commands if name.startswith(begun)))
            return 0
        command = typed
        shortened = line.replace(f" {typed} ", " ", 1) if f" {typed} " in line else line.replace(f" {typed}", " ", 1)
        point = int(os.environ.get("COMP_POINT", len(line)))
        os.environ["COMP_LINE"] = shortened
        os.environ["COMP_POINT"] = str(max(0, point - (len(line) - len(shortened))))
    rest = [argument for argument in arguments if argument not in commands]
    from intdim.cli.compose import cells

    if query:
        return cells(command, [argument for argument in rest if "=" not in argument or "query=" in argument], _nothing)
    return cells(command, rest, _nothing)


def _nothing(made: object) -> int:
    return 0
