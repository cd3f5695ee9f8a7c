"""Writing a file so that nobody ever sees half of it."""

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from specc.signals import held, kept, undone

PREFIX = ".specc-"


@contextlib.contextmanager
def staged(target: Path, text: str) -> Iterator[Path]:
    """Write a text beside its target, synced, and yield where; rename it to finish.

    What was not renamed is removed on the way out, also where a signal ends the program.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    import tempfile  # slow, and most commands write nothing

    with held():
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=target.parent)
        undone(name, partial(os.unlink, name))  # by then it may have its final name: no harm
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        yield Path(name)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
        kept(name)


@contextlib.contextmanager
def growing(target: Path) -> Iterator[BinaryIO]:
    """Yield a file that is written bit by bit; it has its name only when all of it is there.

    What was not finished is removed, also where a signal ends the program.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    import tempfile

    with held():
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=target.parent)
        undone(name, partial(os.unlink, name))
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
        os.replace(name, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
        kept(name)


def _mode(target: Path) -> int:
    """Return the mode of a file that is there, else what a new file gets."""
    with contextlib.suppress(OSError):
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
