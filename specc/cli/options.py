"""Options that several commands have."""

import argparse
from pathlib import Path


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
