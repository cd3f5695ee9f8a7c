"""The formats that a command writes if asked: an option for each, from the registry of outputs."""

import argparse
from pathlib import Path

from specc.outputs.registry import OUTPUTS, Output


def add_output_options(parser: argparse._ActionsContainer, command: str) -> None:
    """Add `--NAME FILE` for each format that a command writes if asked; see `asked`."""
    for output in OUTPUTS:
        if output.option_of == command:
            parser.add_argument(
                f"--{output.name}",
                type=Path,
                metavar="FILE",
                help=f"also write {output.doc}; - is standard output",
            )


def asked(options: argparse.Namespace, command: str) -> dict[Path, Output]:
    """Return the formats that a command line asks for, by their files."""
    own = (output for output in OUTPUTS if output.option_of == command)
    paths = ((getattr(options, output.name), output) for output in own)
    return {path: output for path, output in paths if path is not None}
