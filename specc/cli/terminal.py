"""What commands print: diagnostics for people or as JSON."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from specc.diagnostics import Diagnostic, visible_line


def add_format_option(parser: argparse.ArgumentParser, *more: str) -> None:
    """Add `--format` with text, json and `more`."""
    parser.add_argument(
        "--format",
        choices=("text", "json", *more),
        default="text",
        help="what to print: text for people (default), or data for tools",
    )


def spec_files(paths: Iterable[Path]) -> list[Path]:
    """Return the specs among paths; a folder stands for all below it that are not hidden."""
    found: list[Path] = []
    for path in paths:
        if not os.path.isdir(path):  # which does not raise
            found.append(path)
            continue
        below = sorted(path.glob("**/*.spec"))
        hidden = [any(p.startswith(".") for p in file.relative_to(path).parts) for file in below]
        found += [file for file, is_hidden in zip(below, hidden, strict=True) if not is_hidden]
    return found


def say(text: str, *, error: bool = False) -> None:
    """Print a line that may repeat parts of an input: to standard output, or beside it."""
    print(visible_line(text), file=sys.stderr if error else sys.stdout)


def print_text(text: str) -> None:
    """Print a text that an output made."""
    sys.stdout.write(text)


def print_json(data: object) -> None:
    """Print data for tools; in ASCII, so that it does not depend on the terminal."""
    import json

    print(json.dumps(data, indent=1))


def print_data(text: str) -> None:
    """Print JSON as it stands in a file, or in ASCII where the terminal cannot show that."""
    import codecs

    if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8" and not text.isascii():
        import json

        text = json.dumps(json.loads(text), indent=1) + "\n"
    sys.stdout.write(text)


def print_diagnostics(diagnostics: Iterable[Diagnostic], format_: str) -> None:
    """Print diagnostics: text to standard error, JSON to standard output."""
    diagnostics = list(diagnostics)
    if format_ == "json":
        from specc.diagnostics.render import to_json

        print_json({"diagnostics": [to_json(d) for d in diagnostics]})
        return
    if format_ == "sarif":
        from specc._version import __version__
        from specc.diagnostics.sarif import to_sarif

        print_json(to_sarif(diagnostics, __version__))
        return
    if diagnostics:
        from specc.diagnostics.render import render_terminal

        print(render_terminal(diagnostics, color=wants_color()), file=sys.stderr)
        print(_count(diagnostics), file=sys.stderr)


def wants_color() -> bool:
    """Tell whether standard error is a terminal that may be coloured (NO_COLOR says no)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")


def _count(diagnostics: list[Diagnostic]) -> str:
    errors = sum(d.is_error for d in diagnostics)
    warnings = len(diagnostics) - errors
    parts = [
        f"{number} {name}{'s' if number > 1 else ''}"
        for number, name in ((errors, "error"), (warnings, "warning"))
        if number
    ]
    return " and ".join(parts)
