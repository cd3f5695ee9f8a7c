"""The files of a report: written whole or not at all, or compared with what is on disk."""

import contextlib
import errno
from pathlib import Path

from attrs import frozen

from specc.atomic import stage
from specc.diagnostics import Diagnostic
from specc.signals import held, kept, undone


class WriteError(Exception):
    """A file of the report that cannot be written: its path, the reason, and what to do."""

    @property
    def diagnostic(self) -> Diagnostic:
        """The same for people."""
        message = f"cannot write '{self.path}': {self.reason.lower()}"
        return Diagnostic("E0006", message, help=self.remedy)

    def __init__(self, path: Path, error: OSError) -> None:
        self.path = path
        self.reason = error.strerror or str(error)
        self.remedy = _REMEDIES.get(error.errno or 0, "choose another folder with --out")
        super().__init__(self.reason)


_REMEDIES = {
    errno.ENOSPC: "make room, or choose another folder with --out",
    errno.ENAMETOOLONG: "shorten the name of the spec or of its study",
    errno.EEXIST: "a file stands where a folder is needed; --out takes a folder",
    errno.ENOTDIR: "a file stands where a folder is needed; --out takes a folder",
    errno.EISDIR: "a folder stands where a file is needed",
    errno.EBUSY: "a folder stands where a file is needed",
}


@frozen
class Report:
    """The text of each file by its path, and the folder in which no other file belongs."""

    files: dict[str, str]
    own_folder: str = ""


def write_files(report: Report, folder: Path, others: dict[Path, str] | None = None) -> list[Path]:
    """Write the files of a report, and `others` by their own paths; all or none.

    Each replaces the old one only once all are complete. What an earlier run left in the folder of
    the report's own is removed.

    Raises:
        WriteError: a folder cannot be made or a file not written; the old files stay.
    """
    targets = {**{folder / name: text for name, text in report.files.items()}, **(others or {})}
    staged: list[tuple[Path, Path]] = []
    made: list[Path] = []
    target = folder
    try:
        for target, text in targets.items():
            made += _make(target.parent)
            staged.append((stage(target, text), target))
        with held():
            for source, target in staged:
                source.replace(target)
            for path in _leftovers(report, folder):
                with contextlib.suppress(OSError):
                    path.unlink()
    except OSError as error:
        raise WriteError(target, error) from None
    finally:
        for source, _ in staged:
            with contextlib.suppress(OSError):
                source.unlink(missing_ok=True)
            kept(str(source))
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()  # only what is empty after a failure
            kept(path)
    return list(targets)


def stale_files(report: Report, folder: Path) -> list[Path]:
    """Return the files that are missing on disk, differ from the report, or are left over."""
    stale = [
        folder / name
        for name, text in report.files.items()
        if _read(folder / name) != text.encode()
    ]
    return stale + _leftovers(report, folder)


def _leftovers(report: Report, folder: Path) -> list[Path]:
    if not report.own_folder:
        return []
    wanted = {folder / name for name in report.files}
    try:
        found = list((folder / report.own_folder).glob("*.svg"))
    except OSError:
        return []  # a folder that cannot be
    return sorted(path for path in found if path not in wanted)


def _make(folder: Path) -> list[Path]:
    """Make a folder; return those that were not there, the outermost first."""
    missing = [p for p in (folder, *folder.parents) if not p.exists()][::-1]
    with held():
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            undone(path, path.rmdir)  # what is not empty stays
    return missing


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
