"""Files that are standard output: `--csv -`. What else is printed then goes to standard error."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from specc.writing import WriteError

_NAMES = (Path("-"), Path("/dev/stdout"))


def is_stream(path: Path | None) -> bool:
    """Tell whether the name of a file stands for standard output."""
    return path in _NAMES


def files_among(*paths: Path | None) -> list[Path]:
    """Return the paths of options that are files: neither left out nor standard output."""
    return [path for path in paths if path is not None and not is_stream(path)]


@contextlib.contextmanager
def standard_output(path: Path | None) -> Iterator[TextIO]:
    """Yield standard output; if a file is written to it, all that is printed goes elsewhere."""
    stream = sys.stdout
    with contextlib.redirect_stdout(sys.stderr if is_stream(path) else stream):
        yield stream


def write_stream(stream: TextIO, text: str) -> None:
    """Write a file to a stream, in the bytes that it would have on disk.

    Raises:
        WriteError: the stream cannot be written.
    """
    try:
        stream.flush()
        stream.buffer.write(text.encode())
        stream.buffer.flush()
    except BrokenPipeError:
        raise  # whoever read it has gone, which is no error
    except OSError as error:
        raise WriteError.because(Path("-"), error) from None
