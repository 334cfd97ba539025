"""The command ``intdim``: reads the command word and hands the rest to that command's file. Imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import sys
import traceback

from intdim import __version__
from intdim.errors import IntdimError, Interrupted, UserError, suggest

COMMANDS = {
    "sweep": "measure d90 for each cell; writes a verdict, the curve, the tables; resumes",
    "train": "make one run at a given d (or subspace=full)",
    "report": "write tables, plots and one HTML page from what out holds",
    "plan": "show what sweep would run: D, groups, runs, memory, time",
    "fetch": "download and prepare model and task for offline runs",
    "doctor": "show versions, device, dot test, ns per weight, cache",
    "bound": "certify a run, or search for the best certificate of a cell",
    "export": "write a run as a file of a few kB, or as a complete model",
    "pretrain": "pre-train a masked language model with checkpoints",
}
USAGE = "usage: intdim <command> [flags] [key=value ...]"


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
    try:
        status = run(arguments)
        sys.stdout.flush()
    except Interrupted as error:
        print(f"{error}. To resume: {_command_line(arguments)}", file=sys.stderr)
        status = error.exit_status
    except KeyboardInterrupt:
        print(f"interrupted; what is finished is kept. To resume: {_command_line(arguments)}", file=sys.stderr)
        status = Interrupted.exit_status
    except IntdimError as error:
        _debug()
        print("\n".join(str(error).splitlines()[:3]), file=sys.stderr)
        status = error.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        _debug()
        print(f"{type(error).__name__}: {error}. Finished runs are kept.", file=sys.stderr)
        status = 1
    except Exception as error:  # a fault of ours: there is nothing that a user could correct
        _debug()
        said = " ".join(str(error).split())[:300]
        print(f"internal error, {type(error).__name__}: {said}", file=sys.stderr)
        print("Finished runs are kept. INTDIM_DEBUG=1 shows where it happened.", file=sys.stderr)
        status = 1
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Dispatch to a command; return the exit status."""
    if any(argument in ("-sc", "--shell-completion") for argument in arguments):
        from intdim.cli.completion import complete

        return complete(arguments, tuple(COMMANDS))
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0 if arguments else UserError.exit_status
    if arguments[0] in ("-V", "--version", "version"):
        print(f"intdim {__version__}")
        return 0
    command = arguments[0]
    if command not in COMMANDS:
        raise UserError(f"unknown command {command!r}", suggest(command, COMMANDS), USAGE)
    module = importlib.import_module(f"intdim.cli.{command}")
    return int(module.main(arguments[1:]) or 0)


def _terminate(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _debug() -> None:
    if os.environ.get("INTDIM_DEBUG") == "1":
        traceback.print_exc()


def _command_line(arguments: list[str]) -> str:
    return shlex.join(["intdim", *arguments])


if __name__ == "__main__":
    main()
