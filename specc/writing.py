"""Writing: the files of a command all together or not at all, and never over what it read.

A target is missing or a regular file, and no link. What is made of specs replaces neither a spec
nor anything that was read. New files are staged beside their targets and renamed only once all are
complete; if a rename fails, those before it are taken back.
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from specc.atomic import PREFIX, staged
from specc.diagnostics import Diagnostic
from specc.reading import kind_of
from specc.signals import held

_PATIENCE_S, _PAUSE_S = 2.0, 0.02  # for another run that writes into the folder
_NO_FOLDER = os.strerror(errno.ENOENT)
_ELSEWHERE = "write to another place"
_REMEDIES = {
    errno.ENOENT: "there is no such folder: create it first",
    errno.ENOSPC: f"make room, or {_ELSEWHERE}",
    errno.EDQUOT: f"make room, or {_ELSEWHERE}",
    errno.ENAMETOOLONG: "shorten the name of the spec or of its study",
    errno.EEXIST: "a file stands where a folder is needed",
    errno.ENOTDIR: "a file stands where a folder is needed",
    errno.EISDIR: "a folder stands where a file is needed",
    errno.EBUSY: "a folder stands where a file is needed",
}


class WriteError(Exception):
    """A file that cannot be written: its path, the reason, and what to do."""

    def __init__(self, path: Path, reason: str, remedy: str = _ELSEWHERE) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason
        self.remedy = remedy

    @classmethod
    def because(cls, path: Path, error: OSError) -> "WriteError":
        """Return what an error of the system means for a file."""
        reason = (error.strerror or str(error)).lower()
        return cls(path, reason, _REMEDIES.get(error.errno or 0, _ELSEWHERE))

    @property
    def diagnostic(self) -> Diagnostic:
        """The same for people."""
        return Diagnostic("E0006", f"cannot write '{self.path}': {self.reason}", help=self.remedy)


def check_targets(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse targets that were read, are specs, or cannot be written for what they are.

    Raises:
        WriteError: one of them; nothing was done.
    """
    read = {identity for path in inputs for identity in _identities(path)}
    for target in targets:
        place = _place(target)
        if read & _identities(place):
            raise WriteError(target, "the run reads this file", "name another file")
        if ".spec" in (target.suffix.casefold(), place.suffix.casefold()):
            raise WriteError(target, "a spec is never overwritten", "name another file")


def check_named(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse what `check_targets` does, and targets whose folder is not there.

    Raises:
        WriteError: one of them; nothing was done.
    """
    targets = list(targets)
    for target in targets:
        if not os.path.isdir(target.parent):
            raise WriteError.because(target, FileNotFoundError(errno.ENOENT, _NO_FOLDER))
    check_targets(targets, inputs)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is something else, or below something else.

    Raises:
        WriteError: it cannot become a folder.
    """
    nearest = next(p for p in (folder, *folder.parents) if os.path.lexists(p) or not p.name)
    if os.path.lexists(nearest) and not os.path.isdir(nearest):
        with _reasons(folder):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def write_texts(texts: Mapping[Path, str], leftovers: Iterable[Path] = ()) -> None:
    """Write files, all or none, and then remove those that are left over.

    A signal ends it before the first file is renamed, or waits until all are.

    Raises:
        WriteError: one cannot be written; the old files stay.
    """
    places = _places(texts)
    with contextlib.ExitStack() as stack:
        moves = []
        for target, text in texts.items():
            place = places[target]
            with _reasons(target):
                moves.append((target, stack.enter_context(staged(place, text)), place))
        with held():
            _rename(moves)
            _remove(leftovers)


def replace_spec(path: Path, text: str) -> None:
    """Replace the text of a spec in one step. A link stays a link: its target is replaced.

    Raises:
        WriteError: it cannot be written; the old text stays.
    """
    write_texts({Path(os.path.realpath(path)): text})


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write into a folder, where the platform has such locks.

    Who holds the folder for long does something else with it, or is stopped: then each file is
    still whole, and it is not waited for.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            end = time.monotonic() + _PATIENCE_S
            while not _is_locked(fcntl, handle) and time.monotonic() < end:
                time.sleep(_PAUSE_S)
        yield


def _is_locked(fcntl: Any, handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _places(targets: Iterable[Path]) -> dict[Path, Path]:
    """Return where each target lies, each in a place of its own."""
    places: dict[Path, Path] = {}
    taken: set[object] = set()
    for target in targets:
        place = _place(target)
        if taken & _identities(place):
            raise WriteError(target, "this is another file of the run", "name another file")
        taken |= _identities(place)
        places[target] = place
    return places


def _place(target: Path) -> Path:
    """Return where a target lies; it is no link, though its folder may be reached by one."""
    with _reasons(target):
        place = Path(os.path.realpath(target))
        if os.path.islink(target):
            remedy = "remove the link, or write to another place"
            raise WriteError(target, "it is a link to another place", remedy)
        try:
            kind = kind_of(os.stat(place).st_mode)
        except FileNotFoundError:
            return place
        if kind:
            raise WriteError(target, f"it is {kind}, not a regular file")
        return place


def _identities(path: Path) -> set[object]:
    """Return what two names of one file have in common: where it lies, or which file it is."""
    found: set[object] = {os.path.realpath(path)}
    with contextlib.suppress(OSError):
        status = os.stat(path)
        found.add((status.st_dev, status.st_ino))
    return found


def _rename(moves: list[tuple[Path, Path, Path]]) -> None:
    """Rename every file to its place; if one fails, take back those before it."""
    done: list[tuple[Path, Path | None]] = []
    try:
        for target, source, place in moves:
            with _reasons(target):
                done.append((place, _backup(place)))
                source.replace(place)
    except BaseException:
        for place, old in reversed(done):
            with contextlib.suppress(OSError):
                old.replace(place) if old else place.unlink(missing_ok=True)
        raise
    finally:
        _remove(old for _, old in done if old)


def _backup(place: Path) -> Path | None:
    """Keep the old file under another name, and return it; None if there is none."""
    old = place.with_name(f"{PREFIX}{secrets.token_hex(8)}")
    try:
        os.link(place, old)
    except FileNotFoundError:
        return None
    except OSError:  # not every file system has links
        os.rename(place, old)
    return old


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _reasons(target: Path) -> Iterator[None]:
    """Say of which file an error of the system is."""
    try:
        yield
    except OSError as error:
        raise WriteError.because(target, error) from None
