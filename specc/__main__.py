"""`python -m specc`, and what the command `specc` starts."""

from specc import signals

signals.install()  # before anything else: the imports below take time

import sys  # noqa: E402
from typing import NoReturn  # noqa: E402

from specc.cli import main, streams  # noqa: E402


def program() -> NoReturn:
    """Run the command line of this process, and leave the process."""
    streams.prepare()
    streams.finish(main(sys.argv[1:]))


if __name__ == "__main__":
    program()
