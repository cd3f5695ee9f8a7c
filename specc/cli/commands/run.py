"""`specc run`: from a spec to its report."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.codes import Exit
from specc.cli.terminal import (
    add_format_option,
    add_set_option,
    print_data,
    print_diagnostics,
    print_json,
)
from specc.diagnostics import Diagnostic
from specc.session import Session, SpecError

if TYPE_CHECKING:
    from specc.report import Report


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
        help="write nothing; fail if the files on disk are not what a run would write",
    )
    kind.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="also write a table: a row for each candidate, or for each configuration of fleets",
    )
    add_set_option(parser)
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Run the spec; exit code 3 if a study has no feasible candidate, 1 if it fails an `expect`."""
    from specc.cli.progress import progress

    session = Session(options.spec, options.set)
    try:
        session.plan  # noqa: B018  (what is wrong is said before the work begins)
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.WRONG_INPUT
    print_diagnostics(session.diagnostics, "text")
    with progress(session.work) as watcher:
        session.events = watcher
        report = session.report
    folder = options.out or options.spec.parent
    if options.check:
        code = _check(report, folder, options.format)
    else:
        code = _write(session, folder, options)
    if code != Exit.OK:
        return code
    if not session.results.feasible:
        return Exit.INFEASIBLE
    return Exit.OK if session.results.as_expected else Exit.FAILED


def _check(report: "Report", folder: Path, format_: str) -> int:
    from specc.report import stale_files

    stale = stale_files(report, folder)
    if format_ == "json":
        print_json({"stale": [path.as_posix() for path in stale]})
    elif stale:
        names = ", ".join(f"'{path}'" for path in stale)
        problem = Diagnostic(
            "E0007", f"not what a run would write: {names}", help="run the spec again, and commit"
        )
        print_diagnostics([problem], "text")
    else:
        print(f"{len(report.files)} files are current")
    return Exit.FAILED if stale else Exit.OK


def _write(session: Session, folder: Path, options: argparse.Namespace) -> int:
    from specc.report import WriteError, write_files

    report = session.report
    try:
        others = _csv(session, folder, options.csv) if options.csv is not None else {}
        written = write_files(report, folder, others)
    except WriteError as error:
        print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT
    if options.format == "json":
        name = next(name for name in report.files if name.endswith(".result.json"))
        print_data(report.files[name])
    else:
        from specc.cli.summary import print_summary

        print_summary(session.results, written)
    return Exit.OK


def _csv(session: Session, folder: Path, path: Path) -> dict[Path, str]:
    """Return the table of candidates by its path, which must be no other file of the run."""
    from specc.report import WriteError
    from specc.results.frame import to_csv

    taken = [session.path, *(folder / name for name in session.report.files)]
    if path.resolve() in [other.resolve() for other in taken] or path.suffix == ".spec":
        raise WriteError(path, FileExistsError(0, "this is another file of the run"))
    return {path: to_csv(session.results)}
