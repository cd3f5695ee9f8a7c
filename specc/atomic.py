"""Writing files so that nobody ever sees half of one."""

import contextlib
import errno
import os
import tempfile
from functools import partial
from pathlib import Path

from specc.signals import held, kept, undone


def stage(target: Path, text: str) -> Path:
    """Write a text beside its target, synced, and return where; rename it to finish.

    Raises:
        OSError: it cannot be written; nothing is left.
    """
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with held():
        handle, name = tempfile.mkstemp(prefix=".specc-", dir=target.parent)
        undone(name, partial(os.unlink, name))  # by then it may have its final name: no harm
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, _mode(target))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def replace_text(target: Path, text: str) -> None:
    """Replace the text of a file in one step.

    Raises:
        OSError: it cannot be written; the old text stays.
    """
    target = Path(os.path.realpath(target))  # a link stays a link
    staged = stage(target, text)
    try:
        staged.replace(target)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    finally:
        kept(str(staged))


def _mode(target: Path) -> int:
    """Return the mode of a file that is there, else what a new file gets."""
    with contextlib.suppress(OSError):
        return target.stat().st_mode & 0o7777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
