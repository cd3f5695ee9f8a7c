"""The workspace owns reading: files, their sizes, encodings and hashes. Nothing else opens input.

In: paths. Out: `Source` texts, or a diagnostic that says why a file cannot be one. Every file
that was read is remembered with its hash, for the provenance of a report.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePath

from attrs import Factory, define

from specc import packages, resources
from specc.diagnostics import Diagnostic, Label, Source, Span
from specc.fence import Fence
from specc.reading import NotRegularError, TooLargeError, read_bytes

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
    fence: Fence = Fence()
    # Folders of the libraries in use, by their names; others are looked for when they are used.
    _libraries: dict[str, Path] = Factory(lambda: {STANDARD_LIBRARY: resources.folder("specs/std")})
    _hashes: dict[str, str] = Factory(dict)
    _sources: dict[Path, Source] = Factory(dict)
    _paths: dict[Source, Path] = Factory(dict)

    @classmethod
    def of_spec(
        cls,
        path: Path,
        allow_paths: Iterable[str | Path] = (),
        unsaved: dict[Path, str] | None = None,
    ) -> "Workspace":
        """Return the workspace of a spec: in a git repository, of what lies in it or is allowed."""
        return cls(path.parent, unsaved or {}, Fence.around(path.parent, allow_paths))

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
            UnreadableError: it is missing, no regular file, too large, binary or not UTF-8, or
                outside of the fence. The diagnostic points at `wanted_by`, the text that asked
                for the file.
        """
        name = self.name_of(path)
        self._check_fence(path, name, wanted_by)
        key = _normal(path)
        if key not in self._sources:
            text = self.unsaved.get(path.absolute())
            data = self._bytes(path, name, wanted_by, most) if text is None else text.encode()
            self._hashes[self._recorded_name(path)] = hashlib.sha256(data).hexdigest()
            if unpack and (name.endswith(PACKED) or data.startswith(_GZIP)):
                data = _unpacked(data, name, wanted_by, most)
            self._sources[key] = Source(name, decoded(data, name, wanted_by))
            self._paths[self._sources[key]] = path
        return self._sources[key]

    def folder_of(self, source: Source) -> Path:
        """Return the folder of a source; paths in it are relative to there.

        A text that is no file, such as that of `--set`, stands in the spec.
        """
        return self._paths[source].parent if source in self._paths else self.root

    def path_of(self, source: Source) -> Path:
        """Return the path that a source was read from."""
        return self._paths[source]

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
        absolute = _normal(path)
        if (inside := self._name_in_library(absolute)) is not None:
            return inside
        here = Path.cwd()
        return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(path)

    @property
    def files(self) -> list[Path]:
        """Every file read so far."""
        return list(self._paths.values())

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file read so far, by its path relative to the root."""
        return dict(sorted(self._hashes.items()))

    def _recorded_name(self, path: Path) -> str:
        absolute = _normal(path)
        if (inside := self._name_in_library(absolute)) is not None:
            return inside
        return PurePath(os.path.relpath(absolute, self.root.absolute())).as_posix()

    def _name_in_library(self, path: Path) -> str | None:
        """Return the name of a file of a library, without a machine's path."""
        for library, folder in self._libraries.items():
            if path.is_relative_to(folder):
                return (PurePath(library) / path.relative_to(folder)).as_posix()
        return None

    def _check_fence(self, path: Path, name: str, wanted_by: Span | None) -> None:
        """Refuse a file that a spec of a repository may not name, before it is looked for."""
        if self._is_of_a_library(path, wanted_by):
            return
        try:
            refusal = self.fence.refusal(path)
        except ValueError:
            return  # no file can have this name, as opening it will tell
        if refusal:
            raise _unreadable("E0013", f"'{name}' {refusal}", wanted_by, help=_ALLOW)

    def _is_of_a_library(self, path: Path, wanted_by: Span | None) -> bool:
        """Tell whether a file, or the one that names it, belongs to a package that is installed."""
        asking = self._paths.get(wanted_by.source) if wanted_by is not None else None
        if asking is not None and self._name_in_library(_normal(asking)) is not None:
            return True
        return ".." not in path.parts and self._name_in_library(path.absolute()) is not None

    @staticmethod
    def _bytes(path: Path, name: str, wanted_by: Span | None, most: int) -> bytes:
        try:
            return read_bytes(path, most)
        except TooLargeError:
            message = f"'{name}' is larger than {most // 2**20} MiB"
            raise _unreadable("E0003", message, wanted_by, help=_RIGHT_FILE) from None
        except NotRegularError as error:
            message = f"'{name}' is {error.strerror}, not a regular file"
            raise _unreadable("E0001", message, wanted_by, help=_where(wanted_by)) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            message = f"cannot read '{name}': {(reason or 'unknown reason').lower()}"
            raise _unreadable("E0001", message, wanted_by, help=_where(wanted_by)) from None


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _where(wanted_by: Span | None) -> str:
    return "check the path; it is relative to the file that names it" if wanted_by else _CHECK


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
        message = f"'{name}' is not a gzip file: {reason}"
        raise _unreadable(
            "E0002", message, wanted_by, help="compress it again: gzip FILE"
        ) from None
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


_CHECK = "check the path"
_ALLOW = "move it into the repository, or allow its folder: --allow-path DIR"
_RIGHT_FILE = "a spec is a few kilobytes; is this the right file?"
_UTF8 = "save the file as UTF-8 text"


def _unreadable(code: str, message: str, wanted_by: Span | None, help: str = "") -> UnreadableError:
    labels = (Label(wanted_by, "asked for here"),) if wanted_by else ()
    return UnreadableError(Diagnostic(code, message, labels, help=help))
