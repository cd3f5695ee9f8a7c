"""`specc lsp`: the language server."""

import argparse
import gc
import sys

from specc.cli.codes import Exit
from specc.cli.options import add_allow_path_option


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = "Serve editors over standard input and output (Language Server Protocol)."
    parser.epilog = "example: specc lsp      (an editor starts it; needs: pip install 'specc[lsp]')"
    add_allow_path_option(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until the editor ends the session."""
    try:
        from specc.editor.server import serve
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        print("the language server needs pygls: pip install 'specc[lsp]'", file=sys.stderr)
        return Exit.WRONG_INPUT
    gc.enable()  # a server lives long
    serve(tuple(options.allow_path))
    return Exit.OK
