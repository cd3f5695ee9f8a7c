"""Standard streams that can be closed, full, or of an encoding that lacks our characters."""

import codecs
import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from specc.cli.codes import Exit

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]

# What stands for a character that an encoding lacks; others are shown by their number.
_PLAIN = {
    **dict.fromkeys("→⟶▶", "->"),
    **dict.fromkeys("–—−─━╌‐‑", "-"),
    **dict.fromkeys("│┃╎▏", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╇┏┓┗┛", "+"),
    **dict.fromkeys("‘’‚", "'"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("█▇▆▅▄▃▂▁●•■", "#"),
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "≈": "~",
    "±": "+-",
    "×": "x",
    "÷": "/",
    "·": ".",
    "…": "...",
    "°": " deg",
    "µ": "u",
    "μ": "u",
    "²": "^2",
    "³": "^3",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{THIN SPACE}": " ",
}
_ERRORS = "specc.plain"

# Streams that take no more. Were they freed, they would try once more to write what waits, and
# Python 3.13 prints what goes wrong then.
_abandoned: list[TextIO] = []


class OutputError(Exception):
    """Standard output takes no more; not an OSError, which commands expect of files."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.reader_is_gone = error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN)


class _Output(io.FileIO):
    """Standard output: what cannot be written ends the command."""

    def write(self, data: "Buffer") -> int:
        try:
            while (written := super().write(data)) is None:  # a pipe that does not block is full
                select.select([], [self], [])
        except OSError as error:
            raise OutputError(error) from None
        return written


class _Remarks(io.FileIO):
    """Standard error: there is nobody to tell that it cannot be written."""

    def write(self, data: "Buffer") -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Make the standard streams fit for whatever they are connected to."""
    for number in (0, 1, 2):
        # A closed one would be the number of the next file that is opened.
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
    codecs.register_error(_ERRORS, _plain)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _text_stream(sys.stdout, 1, _Output)
    sys.stderr = _text_stream(sys.stderr, 2, _Remarks)


def finish(code: int) -> NoReturn:
    """Write what is still to be written, and leave the process at once.

    The interpreter's own way out would try once more to write, and print what goes wrong then.
    """
    try:
        sys.stdout.flush()
    except OutputError as error:
        code = told(error)
    sys.stderr.flush()
    os._exit(code)


def told(error: OutputError) -> Exit:
    """Say why output ends, unless its reader has gone (`specc … | head`); that is its right."""
    _abandoned.append(sys.stdout)
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - what waits is lost
    if error.reader_is_gone:
        return Exit.READER_GONE
    reason = str(error).lower()
    print(f"error[E0006]: cannot write to standard output: {reason}", file=sys.stderr)
    return Exit.WRONG_INPUT


def _text_stream(old: TextIO | None, number: int, kind: type[io.FileIO]) -> TextIO:
    raw = getattr(getattr(old, "buffer", None), "raw", getattr(old, "buffer", None))
    if old is not None and type(raw) is not io.FileIO:
        return old  # a console of Windows
    return io.TextIOWrapper(
        io.BufferedWriter(kind(number, "w", closefd=False)),
        encoding=old.encoding if old is not None else "utf-8",
        errors=_ERRORS,
        line_buffering=number == 2 or os.isatty(number),
    )


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c) or _numbered(c) for c in lacking), error.end


def _numbered(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()
