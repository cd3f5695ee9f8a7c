"""Options that several commands have."""

import argparse
from pathlib import Path

from specc.cli.given import given_spec
from specc.cli.numbers import positive
from specc.session import ChosenPlan, Session, chosen_in_results, chosen_of


def add_set_option(parser: argparse.ArgumentParser) -> None:
    """Add `--set`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="set a field, as if it were in the spec: --set workload.chat.output=2000tok",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command has that plans or runs a spec; see `session_of`."""
    add_set_option(parser)
    add_allow_path_option(parser)
    parser.add_argument(
        "--yes",
        action="store_true",
        help="run even if the estimate is more than ten minutes or 4 GiB",
    )


def session_of(options: argparse.Namespace) -> Session:
    """Return a session of the spec that a command line with these options names.

    Raises:
        SpecError: standard input is given, and cannot be read.
    """
    path, text = given_spec(options.spec)
    return Session(
        path, options.set, allow_paths=options.allow_path, unlimited=options.yes, text=text
    )


def add_allow_path_option(parser: argparse.ArgumentParser) -> None:
    """Add `--allow-path`."""
    parser.add_argument(
        "--allow-path",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="a folder outside of the git repository that its specs may read from (repeatable)",
    )


def add_choice_options(parser: argparse._ActionsContainer) -> None:
    """Add what chooses a configuration of a plan; see `chosen_plan`."""
    parser.add_argument(
        "--study", metavar="NAME", help="the study of the plan (default: the first)"
    )
    parser.add_argument(
        "--configuration",
        type=positive,
        metavar="N",
        help="the configuration in the report's table (default: the recommended one)",
    )


def chosen_plan(options: argparse.Namespace, path: Path) -> ChosenPlan:
    """Return the configuration that a command line chooses from a spec, or from its results.

    Raises:
        SpecError: the spec cannot be run, or has no such configuration.
    """
    if path.suffix == ".json":
        return chosen_in_results(path, options.study, options.configuration)
    from specc.cli.progress import progress

    session = Session(path, options.set, allow_paths=options.allow_path, unlimited=options.yes)
    if not getattr(options, "report", False):  # which shows all that a run finds
        session.leave_out_sensitivity()
    with progress(session.work) as watcher:
        session.events = watcher
        return chosen_of(session, options.study, options.configuration)
