"""The entry point: finds the command, imports its module, and returns its exit code."""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence

from specc._version import __version__

OK, FAILED, WRONG_INPUT, INFEASIBLE, INTERRUPTED, READER_GONE = 0, 1, 2, 3, 130, 141

COMMANDS = {
    "run": "check and evaluate a spec, and write its report",
    "check": "check specs and print what is wrong with them",
    "explain": "explain a diagnostic or a field of the language",
    "docs": "print the reference of the language",
    "init": "write a first spec to edit",
    "lsp": "serve editors, over standard input and output",
    "fmt": "bring specs into the one layout",
    "plan": "show what a run would evaluate, without running it",
    "simulate": "simulate the requests of a study, one by one",
    "show": "show a model, or the operators that bound a plan",
    "calibrate": "fit the cost model to measured kernels",
    "validate": "compare the cost model with measurements",
}

_EPILOG = """\
example:
  specc run specs/qwen3-32b-chat.spec

exit codes:
  0  fine                 1  an expect fails, or --check found stale files
  2  the spec or the command line is wrong
  3  a study has no layout within its limits   130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # A command makes syntax trees and arrays and then ends: there are no cycles to look for, and
    # looking costs a tenth of the start.
    gc.disable()
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`specc … | head`); that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="specc",
        description="Compile a serving plan into the best layout and batch size under its SLO.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"specc {__version__}")
    commands = parser.add_subparsers(metavar="command", dest="command", required=True)
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    # A command that was chosen needs no parsers of the others.
    shown = {chosen: COMMANDS[chosen]} if chosen in COMMANDS else COMMANDS
    parsers = {name: commands.add_parser(name, help=text) for name, text in shown.items()}
    if chosen in COMMANDS:
        command = importlib.import_module(f"specc.cli.commands.{chosen}")
        command.configure(parsers[chosen])
    options = parser.parse_args(arguments)
    return int(command.run(options))
