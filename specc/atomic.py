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
    with _beside(target) as (file, path):
        file.write(text.encode())
        _synced(file, path, target)
        yield path


@contextlib.contextmanager
def growing(target: Path) -> Iterator[BinaryIO]:
    """Yield a file that is written bit by bit; it has its name only when all of it is there.

    What was not finished is removed, also where a signal ends the program.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    with _beside(target) as (file, path):
        yield file
        _synced(file, path, target)
        path.replace(target)


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a file beside its target, and where it is; it is removed unless it was renamed."""
    import tempfile  # slow, and most commands write nothing

    with held():
        handle, name = tempfile.mkstemp(prefix=PREFIX, dir=target.parent)
        undone(name, partial(os.unlink, name))  # by then it may have its final name: no harm
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)
        kept(name)


def _synced(file: BinaryIO, path: Path, target: Path) -> None:
    """Close a file when all of it is on the disk, with the mode of its target."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.chmod(path, _mode(target))


def _mode(target: Path) -> int:
    """Return the mode of a file that is there, else what a new file gets."""
    with contextlib.suppress(OSError):
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
