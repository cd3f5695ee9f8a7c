"""`specc docs`: the reference of the language."""

import argparse

import attrs

from specc.cli.codes import Exit
from specc.cli.terminal import add_format_option, print_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Print the reference of every block and field, as Markdown or JSON."
    parser.epilog = "example: specc docs > reference.md"
    add_format_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the reference."""
    from specc.ir.documentation import markdown, pages

    if options.format == "json":
        data = [attrs.asdict(page) for page in pages()]
        print_json(data)
    else:
        print(markdown())
    return Exit.OK
