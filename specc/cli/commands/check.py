"""`specc check`: diagnostics only."""

import argparse
import sys
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.git import ignored
from specc.cli.given import STANDARD_INPUT, given_spec
from specc.cli.options import add_allow_path_option, add_set_option
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say, spec_files
from specc.diagnostics import Diagnostic
from specc.session import Session, SpecError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check specs and print what is wrong with them."
    parser.epilog = "example: specc check specs/*.spec; specc check --fix plan.spec"
    parser.add_argument(
        "specs",
        nargs="+",
        type=Path,
        metavar="SPEC",
        help="a spec, a folder of specs, or - for standard input",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="apply the safe fixes: remove what is not used, correct the case of names and units, "
        "replace former names; other fixes are left to you and your editor",
    )
    add_set_option(parser)
    add_allow_path_option(parser)
    parser.add_argument(
        "--emit",
        choices=("tokens", "tree", "ir", "plan"),
        help="print what a stage makes of the spec, as JSON",
    )
    add_format_option(parser, "sarif")


def run(options: argparse.Namespace) -> int:
    """Check the specs; exit code 2 if one has errors."""
    found: list[Diagnostic] = []
    paths = spec_files(options.specs)
    if options.emit and (len(paths) != 1 or options.format != "text"):
        print("--emit prints one spec, as JSON: give one file and no --format", file=sys.stderr)
        return Exit.WRONG_INPUT
    if options.fix:
        if options.set or options.emit or STANDARD_INPUT in paths:
            print(
                "--fix changes files as they stand: leave out --set, --emit and standard input",
                file=sys.stderr,
            )
            return Exit.WRONG_INPUT
        found += _fix(paths, options)
    for path in paths:
        try:
            own, text = given_spec(path)
        except SpecError as error:
            found += error.diagnostics
            continue
        session = Session(own, options.set, allow_paths=options.allow_path, text=text)
        found += [d for d in session.diagnostics if d not in found]
        warning = ignored(path)
        if warning is not None:
            found.append(warning)
        if options.emit:
            _emit(session, options.emit)
    if options.emit:
        print_diagnostics(found, "text")
        return Exit.WRONG_INPUT if any(diagnostic.is_error for diagnostic in found) else Exit.OK
    print_diagnostics(found, options.format)
    if any(diagnostic.is_error for diagnostic in found):
        return Exit.WRONG_INPUT
    if options.format == "text":
        count = len(paths)
        print(f"{count} spec{'s' if count > 1 else ''} checked, no errors")
    return Exit.OK


def _fix(paths: list[Path], options: argparse.Namespace) -> list[Diagnostic]:
    """Apply safe fixes and print them; return what could not be written."""
    from specc.cli.fixing import fix_specs

    fixed = fix_specs(paths, options.allow_path)
    for change in fixed.changes:
        say(f"fixed {change}", error=options.format != "text")
    return fixed.problems


def _emit(session: Session, stage: str) -> None:
    """Print what a stage made of a spec, if it came that far."""
    from specc.ir.json import to_json
    from specc.syntax import parse
    from specc.syntax.emit import tokens_json, tree_json
    from specc.workspace import UnreadableError

    data: object = None
    try:
        if stage in ("tokens", "tree"):
            source = session.workspace.read(session.path)
            data = tokens_json(source) if stage == "tokens" else tree_json(parse(source)[0])
        elif stage == "ir" and session.document is not None:
            data = to_json(session.document)
        elif stage == "plan":
            data = to_json(session.plan)
    except (SpecError, UnreadableError):
        return
    if data is not None:
        print_json(data)
