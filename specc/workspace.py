"""The workspace owns reading: files, their sizes, encodings and hashes. Nothing else opens input.

In: paths. Out: `Source` texts, or a diagnostic that says why a file cannot be one. Every file
that was read is remembered with its hash, for the provenance of a report.
"""

import hashlib
import os
from pathlib import Path, PurePath

from attrs import Factory, define

from specc import packages, resources
from specc.diagnostics import Diagnostic, Label, Source, Span

PACKED = ".gz"

LARGEST_FILE_BYTES = 16 * 2**20
STANDARD_LIBRARY = "std"
_GZIP = b"\x1f\x8b"


class UnreadableError(Exception):
    """A file that cannot be a source; carries the diagnostic."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@define
class Workspace:
    """Reads input files below and beside `root`, the folder of the spec that is compiled."""

    root: Path
    # Texts that stand for files: what an editor has open and not saved.
    unsaved: dict[Path, str] = Factory(dict)
    # Folders of the libraries in use, by their names; others are looked for when they are used.
    _libraries: dict[str, Path] = Factory(lambda: {STANDARD_LIBRARY: resources.folder("specs/std")})
    _hashes: dict[str, str] = Factory(dict)
    _sources: dict[str, Source] = Factory(dict)
    _paths: dict[str, Path] = Factory(dict)

    def read(
        self,
        path: Path,
        wanted_by: Span | None = None,
        most: int = LARGEST_FILE_BYTES,
        *,
        unpack: bool = False,
    ) -> Source:
        """Read a text file of `most` bytes at most; with `unpack`, one that gzip may have packed.

        The limit counts for the file and for the text in it; the hash is that of the file.

        Raises:
            UnreadableError: it is missing, a folder, too large, binary or not UTF-8. The
                diagnostic points at `wanted_by`, the text that asked for the file.
        """
        name = self.name_of(path)
        if name not in self._sources:
            text = self.unsaved.get(path.absolute())
            data = self._bytes(path, name, wanted_by, most) if text is None else text.encode()
            self._hashes[self._recorded_name(path)] = hashlib.sha256(data).hexdigest()
            if unpack and (name.endswith(PACKED) or data.startswith(_GZIP)):
                data = _unpacked(data, name, wanted_by, most)
            self._sources[name] = Source(name, decoded(data, name, wanted_by))
            self._paths[name] = path
        return self._sources[name]

    def folder_of(self, source: Source) -> Path:
        """Return the folder of a source that was read; paths in it are relative to there."""
        return self.path_of(source).parent

    def path_of(self, source: Source) -> Path:
        """Return the path that a source was read from."""
        return self._paths[source.name]

    def module(self, library: str, name: str) -> Path | None:
        """Return the path of the module `<library>.<name>`, or None if there is none.

        `library` is `std`, or an installed package of specs.

        Raises:
            PackageError: the package is there and cannot be used.
        """
        folder = self._library(library)
        path = folder / f"{name}.spec" if folder else None
        return path if path is not None and path.is_file() else None

    def modules(self, library: str) -> list[str]:
        """List the modules of a library; none if there is no such library.

        Raises:
            PackageError: the package is there and cannot be used.
        """
        folder = self._library(library)
        return sorted(path.stem for path in folder.glob("*.spec")) if folder else []

    def _library(self, name: str) -> Path | None:
        """Return the folder of a library; its files get names that begin with that of it."""
        if name not in self._libraries:
            folder = packages.folder_of(name)
            if folder is None:
                return None
            self._libraries[name] = folder
        return self._libraries[name]

    def name_of(self, path: Path) -> str:
        """Return what messages call a file: relative to where the user is, if it is below."""
        absolute = Path(os.path.normpath(path.absolute()))
        if (inside := self._name_in_library(absolute)) is not None:
            return inside
        here = Path.cwd()
        return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(path)

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file read so far, by its path relative to the root."""
        return dict(sorted(self._hashes.items()))

    def _recorded_name(self, path: Path) -> str:
        absolute = Path(os.path.normpath(path.absolute()))
        if (inside := self._name_in_library(absolute)) is not None:
            return inside
        return PurePath(os.path.relpath(absolute, self.root.absolute())).as_posix()

    def _name_in_library(self, path: Path) -> str | None:
        """Return the name of a file of a library, without a machine's path."""
        for library, folder in self._libraries.items():
            if path.is_relative_to(folder):
                return (PurePath(library) / path.relative_to(folder)).as_posix()
        return None

    def _bytes(self, path: Path, name: str, wanted_by: Span | None, most: int) -> bytes:
        try:
            if path.is_dir():
                raise _unreadable("E0001", f"'{name}' is a folder, not a file", wanted_by)
            with path.open("rb") as file:
                data = file.read(most + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise _unreadable(
                "E0001",
                f"cannot read '{name}': {(reason or 'unknown reason').lower()}",
                wanted_by,
                help="check the path; it is relative to the file that names it"
                if wanted_by
                else "check the path",
            ) from None
        if len(data) > most:
            raise _unreadable(
                "E0003",
                f"'{name}' is larger than {most // 2**20} MiB",
                wanted_by,
                help=_RIGHT_FILE,
            )
        return data


def _unpacked(data: bytes, name: str, wanted_by: Span | None, most: int) -> bytes:
    """Return what a gzip file holds, without unpacking more than is allowed."""
    import gzip
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = str(error)[:1].lower() + str(error)[1:]
        message = f"'{name}' is no gzip file: {reason}"
        raise _unreadable("E0002", message, wanted_by, help="pack it again: gzip FILE") from None
    if len(text) > most:
        message = f"'{name}' is larger than {most // 2**20} MiB when it is unpacked"
        raise _unreadable("E0003", message, wanted_by, help=_RIGHT_FILE)
    return text


def decoded(data: bytes, name: str, wanted_by: Span | None) -> str:
    """Return the text of a file, with line ends of one kind.

    Raises:
        UnreadableError: it is no UTF-8 text.
    """
    if b"\0" in data:
        raise _unreadable("E0002", f"'{name}' is a binary file", wanted_by, help=_UTF8)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"'{name}' is not UTF-8 text: byte 0x{data[error.start]:02x} in line {line}"
        raise _unreadable("E0002", message, wanted_by, help=_UTF8) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


_RIGHT_FILE = "a spec is a few kilobytes; is this the right file?"
_UTF8 = "save the file as UTF-8 text"


def _unreadable(code: str, message: str, wanted_by: Span | None, help: str = "") -> UnreadableError:
    labels = (Label(wanted_by, "asked for here"),) if wanted_by else ()
    return UnreadableError(Diagnostic(code, message, labels, help=help))
