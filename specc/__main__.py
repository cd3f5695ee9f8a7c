"""`python -m specc`, and what the command `specc` starts."""

from specc import signals

signals.install()  # before anything else: the imports below take time

import os  # noqa: E402
import sys  # noqa: E402
from typing import NoReturn  # noqa: E402

from specc.cli import main, streams  # noqa: E402
from specc.cli.codes import Exit  # noqa: E402

# Libraries that multiply matrices start a thread for each core with numpy, which takes longer than
# all products of a run. Whoever sets a number of threads gets it.
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def program() -> NoReturn:
    """Run the command line of this process, and leave the process."""
    if not any(name in os.environ for name in _THREADS):
        os.environ.update(dict.fromkeys(_THREADS, "1"))
    streams.prepare()
    try:
        code = main(sys.argv[1:])
    except BaseException as error:  # even what tells of a fault has failed
        print(f"specc failed: {type(error).__name__}", file=sys.stderr)
        code = Exit.FAULT
    streams.finish(code)


if __name__ == "__main__":
    program()
