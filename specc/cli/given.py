"""Specs that a command line gives on standard input."""

import sys
from pathlib import Path

from specc.diagnostics import Diagnostic, Source
from specc.session import SpecError
from specc.workspace import LARGEST_FILE_BYTES, UnreadableError, decoded

STANDARD_INPUT = Path("-")
NAME = "standard input"


def standard_input() -> Source:
    """Return what standard input holds.

    Raises:
        UnreadableError: it cannot be read, is too large, or no text.
    """
    try:
        data = sys.stdin.buffer.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UnreadableError(Diagnostic("E0001", f"cannot read {NAME}: {reason}")) from None
    if len(data) > LARGEST_FILE_BYTES:
        size = LARGEST_FILE_BYTES // 2**20
        raise UnreadableError(Diagnostic("E0003", f"{NAME} is larger than {size} MiB"))
    return Source("-", decoded(data, NAME, None))


def given_spec(path: Path) -> tuple[Path, str | None]:
    """Return a spec and, of standard input, its text, as if it were a file in this folder.

    Raises:
        SpecError: standard input cannot be read.
    """
    if path != STANDARD_INPUT:
        return path, None
    try:
        return Path("stdin.spec"), standard_input().text
    except UnreadableError as error:
        raise SpecError([error.diagnostic]) from None
