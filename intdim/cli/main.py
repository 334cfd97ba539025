"""The command ``intdim``: reads the command word and hands the rest to that command's file. Imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback

from intdim import __version__
from intdim.cli.terminal import steady
from intdim.errors import IntdimError, Interrupted, UserError, echo, suggest
from intdim.errors import command as command_line
from intdim.ledger.origin import typed

COMMANDS = {
    "sweep": "measure d90 for each cell; writes a verdict, the curve, the tables; resumes",
    "train": "make one run at a given d (or subspace=full)",
    "report": "write tables, plots and one HTML page from what out holds",
    "status": "show the sweeps that run, stopped, failed or finished, and who drives them",
    "list": "list the sweeps, or the runs, that out holds",
    "show": "show where every number of a verdict or a run came from",
    "compare": "compare two runs or two verdicts, with an interval and what differs",
    "remove": "delete runs or sweeps, after asking",
    "plan": "show what sweep would run: D, groups, runs, memory, time",
    "fetch": "download and prepare model and task for offline runs",
    "doctor": "show versions, device, dot test, ns per weight, cache",
    "bound": "certify a run, or search for the best certificate of a cell",
    "export": "write a run as a file of a few kB, or as a complete model",
    "pretrain": "pre-train a masked language model with checkpoints",
}
USAGE = "usage: intdim <command> [flags] [key=value ...]"
LONGEST_LINE = 1000  # characters of a line of an error that is not the user's


def help_text() -> str:
    """Return what ``intdim --help`` prints."""
    lines = [
        USAGE,
        "",
        "Measures the intrinsic dimension of fine-tuning: d90, the smallest random subspace in which a pre-trained",
        "model reaches 90 % of full fine-tuning.",
        "",
        "commands:",
        *(f"  {name:<10}{what}" for name, what in COMMANDS.items()),
        "",
        "examples:",
        "  intdim sweep                                    the built-in model and task, no network needed",
        "  intdim sweep model=roberta-base task=mrpc       the paper's measurement",
        "  intdim sweep -m projection=fastfood,one_hot subspace=did,said      a grid",
        "",
        'intdim <command> --help lists a command\'s options; eval "$(intdim -sc install=bash)" installs completion.',
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 something failed, 2 the request makes no sense, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    signal.signal(signal.SIGTERM, _terminate)
    with steady():
        status = _status(arguments)
    sys.exit(status)


def _status(arguments: list[str]) -> int:
    """Run the command line and say on stderr what went wrong; return the exit status."""
    try:
        return run(arguments)
    except Interrupted as error:
        _say(f"{error}. To resume: {command_line(*arguments)}")
        return error.exit_status
    except KeyboardInterrupt:
        _say(f"interrupted; what is finished is kept. To resume: {command_line(*arguments)}")
        return Interrupted.exit_status
    except IntdimError as error:
        _debug()
        _say(*(echo(line, LONGEST_LINE) for line in str(error).splitlines()[:3]))
        return error.exit_status
    except OSError as error:
        _debug()
        _say(f"{type(error).__name__}: {echo(error, LONGEST_LINE)}. Finished runs are kept.")
        return 1
    except Exception as error:  # a fault of ours: there is nothing that a user could correct
        _debug()
        said = echo(" ".join(str(error).split()), LONGEST_LINE)
        _say(f"internal error, {type(error).__name__}: {said}")
        _say("Finished runs are kept. INTDIM_DEBUG=1 shows where it happened.")
        return 1


def run(arguments: list[str]) -> int:
    """Dispatch to a command; return the exit status."""
    if any(argument in ("-sc", "--shell-completion") for argument in arguments):
        from intdim.cli.completion import complete

        return complete(arguments, tuple(COMMANDS))
    if len(arguments) > 1 and arguments[0] == "help":
        arguments = [arguments[1], "--help", *arguments[2:]]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0 if arguments else UserError.exit_status
    if arguments[0] in ("-V", "--version", "version"):
        print(f"intdim {__version__}")
        return 0
    command = arguments[0]
    if command not in COMMANDS:
        raise UserError(f"unknown command '{echo(command)}'", suggest(command, COMMANDS), USAGE)
    try:
        os.getcwd()
    except OSError:
        raise UserError("the folder in which this was typed is gone", "a folder that is there", "cd to one.") from None
    module = importlib.import_module(f"intdim.cli.{command}")
    with typed(["intdim", *arguments]):
        return int(module.main(arguments[1:]) or 0)


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr)


def _terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _debug() -> None:
    if os.environ.get("INTDIM_DEBUG") == "1":
        traceback.print_exc()


if __name__ == "__main__":
    main()
