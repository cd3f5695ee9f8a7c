"""How a command works: on how many processes or machines, with which store, and telling whom."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cli.numbers import positive
from specc.cli.progress import PROGRESS, progress
from specc.cli.terminal import say
from specc.diagnostics import Diagnostic
from specc.session import Session, SpecError

if TYPE_CHECKING:
    from specc.run.runner import Runner
    from specc.run.store import Store

# A plan that takes fewer seconds is found again as soon as it is looked up.
WORTH_STORING_S = 2.0
STORE_FOLDER = "SPECC_CACHE"
NO_STORE = "off"


def add_work_options(parser: argparse._ActionsContainer) -> None:
    """Add what chooses where a plan runs and how that is told; see `working`."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=positive,
        metavar="N",
        help="processes of this machine (default: SPECC_JOBS, or one a core where that pays)",
    )
    where.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="a Dask cluster: the address of its scheduler (tcp://host:8786), or local:N for N "
        "workers here; needs specc[cluster]",
    )
    parser.add_argument(
        "--progress",
        choices=PROGRESS,
        default="bar",
        help="bar on a terminal (default), json for a line a second on standard error, or none",
    )


def add_store_options(parser: argparse._ActionsContainer) -> None:
    """Add what chooses the store of results; see `store_of`."""
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="the folder of the store of results (default: your cache folder, or SPECC_CACHE)",
    )
    kept.add_argument("--no-cache", action="store_true", help="find all anew, and store nothing")


@contextmanager
def working(
    options: argparse.Namespace,
    session: Session,
    text: str = "evaluating candidates",
    store: "Store | None" = None,
) -> "Iterator[Runner]":
    """Give a session what it works with, and yield that.

    Raises:
        SpecError: as the plan of the session.
        specc.run.failure.EvaluationError: there is no such cluster.
    """
    with (
        progress(session.work, text, options.progress) as watcher,
        _runner(options) as runner,
    ):
        runner.events, runner.store = watcher, store
        watcher.runner = runner
        session.runner = runner
        yield runner


@contextmanager
def _runner(options: argparse.Namespace) -> "Iterator[Runner]":
    if options.cluster is None:
        from specc.run.runner import local_runner

        with local_runner(options.jobs) as runner:
            yield runner
        return
    from specc.run.cluster import cluster_runner

    with cluster_runner(options.cluster) as runner:
        yield runner


def store_of(options: argparse.Namespace, session: Session) -> "Store | None":
    """Return the store to use: that which is asked for, or the user's for what takes long.

    Raises:
        SpecError: the one that is asked for cannot be used.
    """
    asked: Path | None = options.cache
    named = os.environ.get(STORE_FOLDER, "")
    if options.no_cache or (asked is None and named == NO_STORE):
        return None
    if asked is None and session.estimate.seconds < WORTH_STORING_S:
        return None
    folder = asked or (Path(named) if named else None)
    return opened(folder, is_asked=folder is not None)


def opened(folder: Path | None, *, is_asked: bool) -> "Store | None":
    """Return the store in a folder, or that of the user; None if that one cannot be used.

    Raises:
        SpecError: the folder that was asked for holds none that can be used.
    """
    from specc.run.store import Store, StoreError

    try:
        return Store.of(folder)
    except StoreError as error:
        if not is_asked:
            return None
        raise SpecError([unusable(folder, str(error))]) from None


def unusable(folder: Path | None, why: str) -> Diagnostic:
    """Return what to say of a store that cannot be used."""
    where = "your cache folder" if folder is None else f"'{folder}'"
    return Diagnostic(
        "E0023",
        f"the store in {where} cannot be used",
        why=why,
        help="name another folder with --cache, or leave it out with --no-cache; a damaged store "
        "is a file (results.sqlite) that can be deleted",
    )


def say_reused(runner: "Runner", *, error: bool = False) -> None:
    """Say how much came from the store."""
    if runner.reused:
        whole = runner.reused + runner.made
        say(f"{runner.reused} of {whole} results are from earlier runs", error=error)
