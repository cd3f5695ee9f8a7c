"""What commands print: diagnostics for people or as JSON."""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from specc.diagnostics import Diagnostic


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
        if not path.is_dir():
            found.append(path)
            continue
        below = sorted(path.glob("**/*.spec"))
        hidden = [any(p.startswith(".") for p in file.relative_to(path).parts) for file in below]
        found += [file for file, is_hidden in zip(below, hidden, strict=True) if not is_hidden]
    return found


def print_diagnostics(diagnostics: Iterable[Diagnostic], format_: str) -> None:
    """Print diagnostics: text to standard error, JSON to standard output."""
    diagnostics = list(diagnostics)
    if format_ == "json":
        import json

        from specc.diagnostics.render import to_json

        print(json.dumps({"diagnostics": [to_json(d) for d in diagnostics]}, indent=1))
        return
    if format_ == "sarif":
        import json

        from specc._version import __version__
        from specc.diagnostics.sarif import to_sarif

        print(json.dumps(to_sarif(diagnostics, __version__), indent=1))
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
