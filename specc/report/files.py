"""The files of a report: written whole or not at all, or compared with what is on disk."""

import contextlib
import os
import tempfile
from pathlib import Path

from attrs import frozen


class WriteError(Exception):
    """A file of the report that cannot be written; `path` and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


@frozen
class Report:
    """The text of each file, by its path relative to the folder of the report."""

    files: dict[str, str]


def write_files(report: Report, folder: Path) -> list[Path]:
    """Write all files of a report; each replaces the old one only once all are complete.

    Raises:
        WriteError: the folder cannot be made or a file not written; the old files stay.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for name, text in report.files.items():
            target = folder / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                staged.append((_stage(target, text), target))
            except OSError as error:
                raise WriteError(target, error.strerror or str(error)) from None
        for source, target in staged:
            try:
                source.replace(target)
            except OSError as error:
                raise WriteError(target, error.strerror or str(error)) from None
    finally:
        for source, _ in staged:
            with contextlib.suppress(OSError):
                source.unlink(missing_ok=True)
    return [target for _, target in staged]


def stale_files(report: Report, folder: Path) -> list[Path]:
    """Return the files that are missing on disk or differ from the report."""
    return [
        folder / name
        for name, text in report.files.items()
        if _read(folder / name) != text.encode()
    ]


def _stage(target: Path, text: str) -> Path:
    """Write a text beside its target, synced, and return where."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    return Path(name)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
