"""`specc run`: from a spec to its report."""

import argparse
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from specc.cli.asked import add_output_options, asked
from specc.cli.codes import Exit
from specc.cli.given import STANDARD_INPUT
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
from specc.cli.working import (
    add_store_options,
    add_work_options,
    say_reused,
    store_of,
    working,
)
from specc.diagnostics import Diagnostic, Label
from specc.outputs import terminal
from specc.outputs.files import MANIFEST, Report, stale_files, write_files
from specc.session import Session
from specc.writing import WriteError, check_folder, check_named

if TYPE_CHECKING:
    from specc.results.rows import CandidateTable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Check and evaluate specs, and write a report beside each."
    parser.epilog = "example: specc run specs/qwen3-32b-chat.spec --out reports"
    parser.add_argument(
        "spec",
        type=Path,
        nargs="+",
        metavar="SPEC",
        help="a spec; - is standard input, of which files are written with --out alone",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to write (default: beside the spec)"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print what is wrong, and nothing else"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write no report; fail if the files on disk are out of date",
    )
    add_output_options(parser, "run")
    add_run_options(parser)
    add_work_options(parser)
    add_store_options(parser)
    parser.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="write all candidates into a .parquet (needs specc[table]) or .csv as they are found; "
        "the result file then keeps the best of them, and the memory stays small",
    )
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Run the specs; exit code 3 if a study has no feasible candidate, 1 if it fails an `expect`.

    Of several specs the gravest code counts: one that is wrong, then one without an answer.
    """
    specs: list[Path] = options.spec
    several = len(specs) > 1
    names = [path.name for path in specs]
    if several and (
        asked(options, "run") or options.table or (options.out and len(set(names)) < len(names))
    ):
        problem = Diagnostic(
            "E0006",
            "several specs would write the same file",
            help="run them one by one where an option names a file, such as --csv or --junit; with "
            "--out their names must differ",
        )
        print_diagnostics([problem], "text")
        return Exit.WRONG_INPUT
    codes = [_run_one(options, path) for path in specs]
    return max(codes, key=_GRAVEST.index)


_GRAVEST = [Exit.OK, Exit.FAILED, Exit.INFEASIBLE, Exit.WRONG_INPUT]


def _run_one(options: argparse.Namespace, path: Path) -> Exit:
    """Run one of the specs of a command line."""
    own = {**vars(options), "spec": path}
    return told(argparse.Namespace(**own), asked(options, "run"), _run)


def _run(options: argparse.Namespace, stream: TextIO) -> Exit:
    wanted = asked(options, "run")
    session = session_of(options)
    session.plan  # noqa: B018  (what is wrong is said before the work begins)
    check_named(files_among(wanted), session.workspace.files)
    print_diagnostics(session.diagnostics, "text")
    folder = options.out or options.spec.parent
    check_folder(folder)
    store = store_of(options, session)
    with (
        working(options, session, store=store) as runner,
        _table(options.table, session, wanted) as runner.table,
    ):
        report = session.report_in(folder)
    texts = {path: output.write(session.material) for path, output in wanted.items()}
    others = {path: texts[path] for path in files_among(texts)}
    if options.check:
        if others:
            write_files(Report({}), folder, others, session.workspace.files)
        code = _check(report, folder, options.format, quiet=options.quiet)
    else:
        if options.spec == STANDARD_INPUT and options.out is None:
            report = Report({})
        written = write_files(report, folder, others, session.workspace.files)
        if not options.quiet:
            _print(session, written, options.format)
            say_reused(runner, error=options.format == "json")
        code = Exit.OK
    for path in filter(is_stream, texts):
        write_stream(stream, texts[path])
    print_diagnostics(list(_unmet(session)), "text")
    if code != Exit.OK:
        return code
    if not session.results.feasible:
        return Exit.INFEASIBLE
    return Exit.OK if session.results.as_expected else Exit.FAILED


@contextmanager
def _table(
    path: Path | None, session: Session, others: Collection[Path]
) -> "Iterator[CandidateTable | None]":
    """Yield the table of all candidates, if one is asked for."""
    if path is None:
        yield None
        return
    from specc.outputs.table import candidate_table

    check_named([path], session.workspace.files)
    if path in others:
        raise WriteError(path, "another option names this file", "name another file")
    studies = (planned.study for planned in session.plan.studies)
    swept = dict.fromkeys(name for study in studies for name, _ in study.settings)
    with candidate_table(path, tuple(swept)) as table:
        yield table


def _check(report: Report, folder: Path, format_: str, *, quiet: bool) -> Exit:
    stale = stale_files(report, folder)
    if format_ == "json":
        print_json({"stale": [path.as_posix() for path in stale]})
    elif stale:
        names = ", ".join(f"'{path}'" for path in stale)
        problem = Diagnostic(
            "E0007", f"out of date: {names}", help="run the spec again, and commit the files"
        )
        print_diagnostics([problem], "text")
    elif not quiet:
        print(f"{len(report.files)} files are current")
    return Exit.FAILED if stale else Exit.OK


def _unmet(session: Session) -> Iterator[Diagnostic]:
    """Yield what is told of expectations that are not met, each under its text in the spec."""
    for study in session.results.studies:
        for expected, verdict in zip(study.study.expectations, study.verdicts, strict=True):
            if not verdict.met:
                span = expected.spans.get("")
                where = f" with {study.study.variant}" if study.study.variant else ""
                yield Diagnostic(
                    "E0602",
                    f"an expectation of '{study.study.name}' is not met{where}",
                    (Label(span, verdict.seen),) if span is not None else (),
                    why=verdict.reason,
                    help="change the plan, or what is expected of it",
                )


def _print(session: Session, written: list[Path], format_: str) -> None:
    if format_ == "json":
        print_data(session.results.to_json())
        return
    print_text(terminal.write(session.material))
    for path in written:
        if path.suffix != ".svg" and path.name != MANIFEST:
            say(f"wrote {os.path.relpath(path)}")
