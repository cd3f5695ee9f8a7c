"""Files that are standard output: `--csv -`. What else is printed then goes to standard error."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from specc.cli.codes import Exit
from specc.cli.terminal import print_diagnostics
from specc.session import SpecError
from specc.writing import WriteError

_NAMES = (Path("-"), Path("/dev/stdout"))


def is_stream(path: Path) -> bool:
    """Tell whether the name of a file stands for standard output."""
    return path in _NAMES


def files_among(paths: Iterable[Path]) -> list[Path]:
    """Return the paths of options that are files, not standard output."""
    return [path for path in paths if not is_stream(path)]


@contextlib.contextmanager
def standard_output(paths: Collection[Path]) -> Iterator[TextIO]:
    """Yield standard output; if a file is written to it, all that is printed goes elsewhere."""
    stream = sys.stdout
    with contextlib.redirect_stdout(sys.stderr if any(map(is_stream, paths)) else stream):
        yield stream


def told(
    options: argparse.Namespace,
    paths: Collection[Path],
    command: Callable[[argparse.Namespace, TextIO], Exit],
) -> Exit:
    """Run a command that may write one of `paths` to standard output; say what goes wrong.

    Returns:
        Its exit code, or that of a wrong input.
    """
    with standard_output(paths) as stream:
        try:
            return command(options, stream)
        except SpecError as error:
            print_diagnostics(error.diagnostics, options.format)
        except WriteError as error:
            print_diagnostics([error.diagnostic], options.format)
        return Exit.WRONG_INPUT


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
