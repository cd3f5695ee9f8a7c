"""`specc diff`: what changed between two specs, results or git revisions, and what caused it."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from specc.cli.codes import Exit
from specc.cli.git import RevisionError, extracted, revision_of
from specc.cli.given import given_spec
from specc.cli.options import add_allow_path_option
from specc.cli.terminal import print_diagnostics, print_json, print_text
from specc.session import Session, SpecError, loaded

if TYPE_CHECKING:
    from specc.results import Results
    from specc.results.diff import ResultsDifference, StudyDifference


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Show what differs between two plans: inputs, recommendations, figures, expectations, and "
        "which input caused what. Each of them is a spec, a result file, or a file of a git "
        "revision; - is a spec on standard input. Of two result files nothing is run."
    )
    parser.epilog = (
        "example: specc diff main:plan.spec plan.spec; specc diff old.result.json new.result.json "
        "--format markdown; specc diff main:plan.spec plan.spec --fail-on objective:3%"
    )
    parser.add_argument("old", metavar="OLD", help="a spec, a result file, REVISION:FILE, or -")
    parser.add_argument("new", metavar="NEW", help="the same, of what it is compared with")
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="what to print: text (default), data for tools, or a comment for a merge request",
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        type=_condition,
        metavar="CONDITION",
        help="exit with 1 if the 'recommendation' is another, the 'objective:3%%' is worse by more "
        "than that ('objective': by anything), or one of the 'expectations' is not met that was "
        "(repeatable)",
    )
    parser.add_argument(
        "--no-causes", action="store_true", help="do not run changes one by one to find causes"
    )
    add_allow_path_option(parser)
    parser.add_argument(
        "--yes",
        action="store_true",
        help="run even if the estimate is more than ten minutes or 4 GiB",
    )


def _condition(text: str) -> tuple[str, float]:
    """Return what fails, and by how much of the objective."""
    name, _, share = text.partition(":")
    if name in ("recommendation", "expectations") and not share:
        return name, 0.0
    if name == "objective":
        number = share.strip().removesuffix("%").strip() if share else "0"
        try:
            value = float(number) / 100
        except ValueError:
            value = -1.0
        if 0 <= value <= 1 and (not share or share.strip().endswith("%")):
            return name, value
        raise argparse.ArgumentTypeError(f"'{text}': write a share of 0 to 100 %, as objective:3%")
    raise argparse.ArgumentTypeError(
        f"'{text}' is none of recommendation, objective:3%, expectations"
    )


def run(options: argparse.Namespace) -> int:
    """Print the difference; exit code 1 if one of `--fail-on` holds."""
    try:
        found = _found(options)
    except SpecError as error:
        print_diagnostics(error.diagnostics, "json" if options.format == "json" else "text")
        return Exit.WRONG_INPUT
    except RevisionError as error:
        print_diagnostics([error.diagnostic("E0019")], "text")
        return Exit.WRONG_INPUT
    _print(found, options.format)
    failing = [name for name, most in options.fail_on if _fails(found, name, most)]
    return Exit.FAILED if failing else Exit.OK


def _found(options: argparse.Namespace) -> "ResultsDifference":
    from specc.results.diff import difference, name_of

    with _results(options.old, options) as old, _results(options.new, options) as new:
        found = difference(old, new, (options.old, options.new))
        is_data = all(name.endswith(".json") for name in (options.old, options.new))
        if is_data or options.no_causes:
            return found
        before, after = ({name_of(s): s for s in side.studies} for side in (old, new))
        studies = [
            _with_causes(study, before.get(study.study), after.get(study.study))
            for study in found.studies
        ]
        return evolve(found, studies=tuple(studies))


def _with_causes(study: "StudyDifference", old: object, new: object) -> "StudyDifference":
    from specc.cli.progress import progress
    from specc.results import StudyResult
    from specc.run.causes import causes, runs_of

    if not isinstance(old, StudyResult) or not isinstance(new, StudyResult):
        return study
    with progress(runs_of(study)) as watcher:
        return evolve(study, causes=causes(study, old, new, watcher.advanced))


@contextmanager
def _results(name: str, options: argparse.Namespace) -> "Iterator[Results]":
    """Yield the results of a file, of a spec, or of either in a git revision."""
    revision = None if os.path.lexists(name) else revision_of(name)
    if revision is None:
        yield _of_file(Path(name), options)
        return
    with tempfile.TemporaryDirectory(prefix="specc-") as folder:
        try:
            found = _of_file(extracted(*revision, Path(folder)), options)
        except SpecError as error:
            first = error.diagnostics[0]
            raise RevisionError(
                f"'{name}' cannot be run: {first.message}",
                help="it is as it was committed: compare with a revision whose plan runs",
            ) from None
        yield found


def _of_file(path: Path, options: argparse.Namespace) -> "Results":
    if path.suffix == ".json":
        return loaded(path)
    from specc.cli.progress import progress

    spec, text = given_spec(path)
    session = Session(spec, allow_paths=options.allow_path, unlimited=options.yes, text=text)
    session.leave_out_sensitivity()
    with progress(session.work) as watcher:
        session.events = watcher
        return session.results


def _print(found: "ResultsDifference", format_: str) -> None:
    if format_ == "json":
        from specc.ir.json import to_rounded_json

        print_json(to_rounded_json(found))
        return
    from specc.report.difference import difference

    document = difference(found)
    if format_ == "markdown":
        from specc.outputs.markdown import of_document

        print_text(of_document(document))
        return
    from specc.outputs import terminal

    print_text(terminal.shown(document.blocks))


def _fails(found: "ResultsDifference", name: str, most: float) -> bool:
    """Say whether a condition of `--fail-on` holds."""
    match name:
        case "recommendation":
            return any(study.is_another for study in found.studies)
        case "expectations":
            return any(
                e.new is False and e.old is not False
                for study in found.studies
                for e in study.expectations
            )
    lost = [study for study in found.studies if study.old is not None and study.new is None]
    worse = [s for s in found.studies if s.change is not None and s.change < -most]
    return bool(lost or worse)
