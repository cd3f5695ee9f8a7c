"""The entry point: finds the command, imports its module, and returns its exit code."""

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from specc._version import __version__
from specc.cli import streams
from specc.cli.codes import Exit

COMMANDS = {
    "run": "check and evaluate a spec, and write its report",
    "check": "check specs and print what is wrong with them",
    "diff": "show what changed between two plans, and what caused it",
    "explain": "explain a diagnostic or a field of the language",
    "list": "list the models, devices, calibrations and architectures that are known",
    "docs": "print the reference of the language",
    "init": "write a first spec to edit, or what CI needs",
    "completion": "print what makes a shell complete the command line",
    "lsp": "serve editors, over standard input and output",
    "fmt": "format specs",
    "plan": "show what a run would evaluate, without running it",
    "simulate": "simulate the requests of a study, one by one",
    "show": "show a model, or the operators that bound a plan",
    "calibrate": "fit the cost model to measured kernels",
    "validate": "compare the cost model with measurements",
    "launch": "write the files that run a plan",
    "import": "write the deployment that a launch command means",
    "compare": "compare results of load tests with a plan",
    "cache": "show, check or empty the store of results",
}

_EXAMPLE = """\
example:
  specc run specs/qwen3-32b-chat.spec

exit codes:
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # A command makes syntax trees and arrays and then ends: there are no cycles to look for, and
    # looking costs a tenth of the start.
    gc.disable()
    options = argparse.Namespace()
    if not _is_somewhere():
        print("error[E0001]: the current folder no longer exists\n  = help: change to another one",
              file=sys.stderr)  # fmt: skip
        return Exit.WRONG_INPUT
    try:
        return _run(arguments, options)
    except SystemExit as error:  # of argparse, which has said why
        return error.code if isinstance(error.code, int) else Exit.WRONG_INPUT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except streams.OutputError as error:
        return streams.told(error)
    except Exception as error:
        return _failed(error, options)


def _is_somewhere() -> bool:
    """Tell whether there is a current folder, which paths begin in."""
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def _failed(error: Exception, options: argparse.Namespace) -> Exit:
    """Say why a command could not do its work."""
    failure = sys.modules.get("specc.run.failure")
    if failure is not None and isinstance(error, failure.EvaluationError):
        from specc.cli.terminal import print_diagnostics

        print_diagnostics([error.diagnostic], getattr(options, "format", "text"))
        return Exit.WORKER_LOST
    from specc.cli import faults

    faults.told(error)
    return Exit.FAULT


def _exit_codes() -> str:
    return "".join(f"  {code.value:<4} {code.text}\n" for code in Exit)


# What other tools call what a command does.
MEANT = {
    "serve": "launch", "deploy": "launch", "bench": "compare", "benchmark": "compare",
    "estimate": "run", "evaluate": "run", "eval": "run", "optimize": "run", "search": "run",
    "report": "run", "render": "run", "verify": "check", "lint": "check", "format": "fmt",
    "new": "init", "create": "init", "models": "list", "devices": "list", "help": "explain",
    "info": "show", "sim": "simulate", "fit": "calibrate", "reference": "docs",
}  # fmt: skip


def _no_command(word: str) -> str:
    """Say that there is no such command, and which one may be meant."""
    from specc.diagnostics import did_you_mean
    from specc.diagnostics.visible import message

    meant = MEANT.get(word.lower())
    close = f"did you mean '{meant}'?" if meant else did_you_mean(word, COMMANDS, "command").text
    return message(f"there is no command '{word}': {close}")


class _Parser(argparse.ArgumentParser):
    """A parser whose messages repeat a command line as it may be shown."""

    _is_declaring = False

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        self._is_declaring = True
        try:
            return super().add_argument(*names, **options)
        finally:
            self._is_declaring = False

    def _get_formatter(self) -> argparse.HelpFormatter:
        if not self._is_declaring:
            return super()._get_formatter()
        # argparse checks each argument with a formatter, which would measure the terminal.
        return argparse.HelpFormatter(self.prog, width=80)

    def error(self, message: str) -> NoReturn:
        from specc.diagnostics.visible import message as shown

        super().error(shown(message))


def _run(arguments: list[str], options: argparse.Namespace) -> int:
    parser = _Parser(
        prog="specc",
        description="Compile a serving plan into the best layout and batch size under its SLO.",
        epilog=_EXAMPLE + _exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"specc {__version__}")
    # Without a name, argparse formats a usage to find it, and imports much for that.
    commands = parser.add_subparsers(
        metavar="command", dest="command", required=True, prog=parser.prog
    )
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    # A command that was chosen needs no parsers of the others.
    shown = {chosen: COMMANDS[chosen]} if chosen in COMMANDS else COMMANDS
    parsers = {name: commands.add_parser(name, help=text) for name, text in shown.items()}
    if chosen in COMMANDS:
        command = importlib.import_module(f"specc.cli.commands.{chosen}")
        command.configure(parsers[chosen])
    if not arguments:
        parser.print_help()
        return Exit.OK
    if chosen is not None and chosen not in COMMANDS and chosen == arguments[0]:
        print(f"specc: {_no_command(chosen)}", file=sys.stderr)
        return Exit.WRONG_INPUT
    parser.parse_args(arguments, options)
    return int(command.run(options))
