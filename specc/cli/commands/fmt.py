"""`specc fmt`: the one layout."""

import argparse
import difflib
import sys
from pathlib import Path

from specc.cli.codes import Exit
from specc.cli.given import standard_input
from specc.cli.options import add_allow_path_option
from specc.cli.terminal import print_diagnostics, say, spec_files
from specc.diagnostics import Diagnostic, Source, visible
from specc.reading import read_bytes
from specc.syntax import parse
from specc.syntax.formatter import FormatError, format_source
from specc.workspace import LARGEST_FILE_BYTES, UnreadableError, Workspace
from specc.writing import WriteError, replace_spec


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Format specs. Only white space changes."
    parser.epilog = "example: specc fmt specs/*.spec; cat a.spec | specc fmt -"
    parser.add_argument(
        "specs",
        nargs="+",
        metavar="SPEC",
        help="a spec, a folder of specs, or - for standard input",
    )
    add_allow_path_option(parser)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file would change"
    )
    kind.add_argument("--diff", action="store_true", help="write nothing; show what would change")


def run(options: argparse.Namespace) -> int:
    """Format; exit code 2 if a file cannot be, 1 if --check or --diff found one to change."""
    codes: list[int] = [Exit.OK]
    for name in options.specs:
        paths = spec_files([Path(name)]) if name != "-" else [Path(name)]
        codes += [_format(str(path), options) for path in paths]
    return max(codes)


def _format(name: str, options: argparse.Namespace) -> int:
    path = Path(name)
    try:
        workspace = Workspace.of_spec(path, options.allow_path)
        source = standard_input() if name == "-" else workspace.read(path)
    except UnreadableError as error:
        print_diagnostics([error.diagnostic], "text")
        return Exit.WRONG_INPUT
    _, diagnostics = parse(source)
    if diagnostics:
        print_diagnostics(diagnostics, "text")
        say(f"'{source.name}' was left as it is", error=True)
        return Exit.WRONG_INPUT
    try:
        text = format_source(source)
    except FormatError as error:
        problem = Diagnostic(
            "E0009", f"'{source.name}' cannot be formatted: {error}", help="please report this"
        )
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    return _deliver(source, path, text, options)


def _deliver(source: Source, path: Path, text: str, options: argparse.Namespace) -> int:
    # Bytes, not characters: the one layout also has one kind of line end.
    changed = text != source.text if source.name == "-" else _bytes(path) != text.encode()
    if options.diff:
        before, after = _lines(source.text), _lines(text)
        patch = difflib.unified_diff(before, after, source.name, source.name)
        # A patch in a file or a pipe is to be applied; on a terminal it is to be looked at.
        is_seen = sys.stdout.isatty()
        sys.stdout.writelines(visible(line) if is_seen else line for line in patch)
    elif options.check:
        if changed:
            say(f"would change {source.name}")
    elif source.name == "-":
        sys.stdout.write(text)
        return Exit.OK
    elif changed:
        return _write(path, text)
    return Exit.FAILED if changed else Exit.OK


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path, LARGEST_FILE_BYTES)
    except OSError:  # it is gone, or another one by now
        return b""


def _lines(text: str) -> list[str]:
    """Split a text into lines as a patch has them."""
    *lines, last = text.split("\n")
    ended = [f"{line}\n" for line in lines]
    return [*ended, f"{last}\n\\ No newline at end of file\n"] if last else ended


def _write(path: Path, text: str) -> int:
    try:
        replace_spec(path, text)
    except WriteError as error:
        print_diagnostics([error.diagnostic], "text")
        return Exit.WRONG_INPUT
    say(f"formatted {path}")
    return Exit.OK
