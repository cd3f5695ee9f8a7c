"""`specc completion`: what makes a shell complete the command line."""

import argparse
import importlib

from specc.cli.codes import Exit
from specc.cli.terminal import print_diagnostics, print_text
from specc.diagnostics import Diagnostic

SHELLS = ("bash", "zsh", "tcsh")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Print the completion of a shell; it needs specc[completion]."
    parser.epilog = (
        "example: specc completion bash > ~/.local/share/bash-completion/completions/specc"
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(options: argparse.Namespace) -> int:
    """Print the script; exit code 2 if the library is missing."""
    try:
        import shtab
    except ImportError:
        problem = Diagnostic(
            "E0011",
            "completion needs the library shtab, which is not installed",
            help="install it with: pip install 'specc[completion]'",
        )
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    print_text(shtab.complete(whole_parser(), shell=options.shell) + "\n")
    return Exit.OK


def whole_parser() -> argparse.ArgumentParser:
    """Return a parser of all commands with all of their options."""
    from specc.cli.main import COMMANDS

    parser = argparse.ArgumentParser(prog="specc")
    parser.add_argument("--version", action="version", version="specc")
    commands = parser.add_subparsers(dest="command", metavar="command")
    for name, text in COMMANDS.items():
        own = commands.add_parser(name, help=text)
        importlib.import_module(f"specc.cli.commands.{name}").configure(own)
    return parser
