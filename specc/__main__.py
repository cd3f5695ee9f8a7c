"""`python -m specc`, and what the command `specc` starts."""

from specc import signals

signals.install()  # before anything else: the imports below take time

import sys  # noqa: E402
from typing import NoReturn  # noqa: E402

from specc.cli import main, streams  # noqa: E402
from specc.cli.codes import Exit  # noqa: E402


def program() -> NoReturn:
    """Run the command line of this process, and leave the process."""
    streams.prepare()
    try:
        code = main(sys.argv[1:])
    except BaseException as error:  # even what tells of a fault has failed
        print(f"specc failed: {type(error).__name__}", file=sys.stderr)
        code = Exit.FAULT
    streams.finish(code)


if __name__ == "__main__":
    program()
