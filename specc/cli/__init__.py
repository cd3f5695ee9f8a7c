"""The command line: commands, options, exit codes, terminal output. It calculates nothing.

`main` imports only what the chosen command needs, so that `specc --help` is as quick as argparse.
"""

from specc.cli.main import main

__all__ = ["main"]
