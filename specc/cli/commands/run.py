"""`specc run`: from a spec to its report."""

import argparse
import os
from pathlib import Path
from typing import TextIO

from specc.cli.asked import add_output_options, asked
from specc.cli.codes import Exit
from specc.cli.options import add_run_options, session_of
from specc.cli.redirect import files_among, is_stream, told, write_stream
from specc.cli.terminal import (
    add_format_option,
    print_data,
    print_diagnostics,
    print_json,
    print_text,
    say,
)
from specc.diagnostics import Diagnostic
from specc.outputs import terminal
from specc.outputs.files import MANIFEST, Report, stale_files, write_files
from specc.session import Session
from specc.writing import check_folder, check_named


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check and evaluate a spec, and write its report beside it."
    parser.epilog = "example: specc run specs/qwen3-32b-chat.spec --out reports"
    parser.add_argument("spec", type=Path, metavar="SPEC", help="the spec")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: beside the spec)"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail if the files on disk are out of date",
    )
    add_output_options(kind, "run")
    add_run_options(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Run the spec; exit code 3 if a study has no feasible candidate, 1 if it fails an `expect`."""
    return told(options, asked(options, "run"), _run)


def _run(options: argparse.Namespace, stream: TextIO) -> Exit:
    from specc.cli.progress import progress

    wanted = asked(options, "run")
    session = session_of(options)
    session.plan  # noqa: B018  (what is wrong is said before the work begins)
    check_named(files_among(wanted), session.workspace.files)
    print_diagnostics(session.diagnostics, "text")
    folder = options.out or options.spec.parent
    check_folder(folder)
    with progress(session.work) as watcher:
        session.events = watcher
        report = session.report_in(folder)
    if options.check:
        code = _check(report, folder, options.format)
        if code != Exit.OK:
            return code
    else:
        texts = {path: output.write(session.material) for path, output in wanted.items()}
        others = {path: texts[path] for path in files_among(texts)}
        written = write_files(report, folder, others, session.workspace.files)
        _print(session, report, written, options.format)
        for path in filter(is_stream, texts):
            write_stream(stream, texts[path])
    if not session.results.feasible:
        return Exit.INFEASIBLE
    return Exit.OK if session.results.as_expected else Exit.FAILED


def _check(report: Report, folder: Path, format_: str) -> Exit:
    stale = stale_files(report, folder)
    if format_ == "json":
        print_json({"stale": [path.as_posix() for path in stale]})
    elif stale:
        names = ", ".join(f"'{path}'" for path in stale)
        problem = Diagnostic(
            "E0007", f"out of date: {names}", help="run the spec again, and commit the files"
        )
        print_diagnostics([problem], "text")
    else:
        print(f"{len(report.files)} files are current")
    return Exit.FAILED if stale else Exit.OK


def _print(session: Session, report: Report, written: list[Path], format_: str) -> None:
    if format_ == "json":
        name = next(name for name in report.files if name.endswith(".result.json"))
        print_data(report.files[name])
        return
    print_text(terminal.write(session.material))
    for path in written:
        if path.suffix != ".svg" and path.name != MANIFEST:
            say(f"wrote {os.path.relpath(path)}")
