"""`specc check`: diagnostics only."""

import argparse
from pathlib import Path

from specc.cli.main import OK, WRONG_INPUT
from specc.cli.terminal import add_format_option, add_set_option, print_diagnostics
from specc.compilation import Compilation
from specc.diagnostics import Diagnostic


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check specs and print what is wrong with them."
    parser.epilog = "example: specc check specs/*.spec"
    parser.add_argument("specs", nargs="+", type=Path, metavar="SPEC", help="a spec to check")
    add_set_option(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Check the specs; exit code 2 if one has errors."""
    found: list[Diagnostic] = []
    for path in options.specs:
        found += [d for d in Compilation(path, options.set).diagnostics if d not in found]
    print_diagnostics(found, options.format)
    if any(diagnostic.is_error for diagnostic in found):
        return WRONG_INPUT
    if options.format == "text":
        count = len(options.specs)
        print(f"{count} spec{'s' if count > 1 else ''} checked, no errors")
    return OK
