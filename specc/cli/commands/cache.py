"""`specc cache`: what the store of results holds, and what of it is damaged."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from specc.cli.codes import Exit
from specc.cli.terminal import add_format_option, print_diagnostics, print_json, say
from specc.cli.working import NO_STORE, STORE_FOLDER, opened, unusable
from specc.session import SpecError

if TYPE_CHECKING:
    from specc.run.store import StoreInfo


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = (
        "Show the store of results, empty it, or check each of them. What 'specc run' found once "
        "is not found again, and a run that was interrupted goes on where it was."
    )
    parser.epilog = "example: specc cache info; specc cache clear --cache store"
    parser.add_argument(
        "what",
        choices=("info", "clear", "verify"),
        help="info: how much there is, and where; clear: drop all of it; verify: check all, and "
        "drop what is damaged",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help=f"the folder of the store (default: {STORE_FOLDER}, or your cache folder)",
    )
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Do it; exit code 1 if something was damaged."""
    from specc.run.store import NAME, StoreError

    named = os.environ.get(STORE_FOLDER, "")
    folder = options.cache or (Path(named) if named and named != NO_STORE else None)
    if folder is not None and not (folder / NAME).is_file():
        print_diagnostics([unusable(folder, "there is none")], options.format)
        return Exit.WRONG_INPUT
    try:
        store = opened(folder, is_asked=True)
        assert store is not None
        found = getattr(store, options.what)()
    except SpecError as error:
        print_diagnostics(error.diagnostics, options.format)
        return Exit.WRONG_INPUT
    except StoreError as error:
        print_diagnostics([unusable(folder, str(error))], options.format)
        return Exit.WRONG_INPUT
    if options.what == "info":
        told, data = _told(found), attrs.asdict(found)
    elif options.what == "clear":
        told, data = f"dropped {found:,} results", {"dropped": found}
    else:
        rows, damaged = found
        told = f"{rows:,} results, {damaged:,} of them damaged"
        told += " and dropped: they are found again when they are needed" if damaged else ""
        data = {"rows": rows, "damaged": damaged}
    if options.format == "json":
        print_json(data)
    else:
        for line in told.split("\n"):
            say(line)
    return Exit.FAILED if options.what == "verify" and found[1] else Exit.OK


def _told(info: "StoreInfo") -> str:
    mebibyte = 2**20
    return (
        f"{info.path}\n  {info.rows:,} results, {info.stored / mebibyte:,.1f} MiB of at most "
        f"{info.largest / mebibyte:,.0f} MiB; beyond that the least recently used are dropped"
    )
