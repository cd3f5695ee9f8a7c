"""Reading bytes: of regular files alone, and no more of them than is wanted.

A FIFO would wait for a writer, a device may never end, a socket cannot be read at all; each of them
can stand where a spec names a file. Whatever specc reads comes through here.
"""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


_PART = 1 << 20


class NotRegularError(OSError):
    """What stands there is no regular file; the text says what it is instead."""


class TooLargeError(OSError):
    """A file holds more than is wanted of it."""


def read_bytes(path: Path, most: int) -> bytes:
    """Read a regular file of `most` bytes at most, through links; it never waits.

    Raises:
        NotRegularError: it is a folder, a FIFO, a device or a socket.
        TooLargeError: it is larger.
        OSError: it cannot be read.
        ValueError: no file can have this name.
    """
    _check(os.stat(path))  # opening some devices does something, so they are not even opened
    with open(os.open(path, _FLAGS), "rb") as file:
        size = _check(os.fstat(file.fileno()))
        data = _read(file, most) if size <= most else b""
    if max(size, len(data)) > most:
        raise TooLargeError(errno.EFBIG, os.strerror(errno.EFBIG))
    return data


def _read(file: BinaryIO, most: int) -> bytes:
    """Read a file in parts, as most are small, and stop where it holds more than is wanted."""
    parts: list[bytes] = []
    left = most + 1
    # Some files of the kernel have nothing yet, and say so (None) rather than let us wait.
    while left > 0 and (part := file.read(min(left, _PART))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def kind_of(mode: int) -> str:
    """Name what a file of a mode is, if it is no regular one; nothing if it is."""
    return next(word for test, word in _KINDS if test(mode))


_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISREG, ""),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (lambda _mode: True, "a device"),
)


def _check(status: os.stat_result) -> int:
    """Return the size of a regular file."""
    kind = kind_of(status.st_mode)
    if kind:
        raise NotRegularError(errno.EINVAL, kind)
    return status.st_size
