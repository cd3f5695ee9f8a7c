"""The files of a report: written whole or not at all, or compared with what is on disk.

Pictures lie in a folder of the report's own. A manifest in it says which files a run made, so that
the next run removes those that it no longer makes, and nothing else.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from attrs import frozen

from specc.diagnostics import visible_json
from specc.reading import read_bytes
from specc.records import Record
from specc.signals import held, kept, undone
from specc.writing import WriteError, check_targets, locked, write_texts

MANIFEST = "manifest.json"
LARGEST_FILE_BYTES = 1 << 30


@frozen(eq=False, repr=False)
class Report(Record):
    """The text of each file by its path, and the folder that the report has for its own."""

    files: dict[str, str]
    own_folder: str = ""


def manifest(spec: str, version: str, texts: Mapping[str, str]) -> str:
    """Return the text that says which files of its folder were made, of which spec and by whom."""
    digests = {name: _digest(text.encode()) for name, text in sorted(texts.items())}
    data = {"specc": version, "spec": spec, "files": digests}
    return visible_json(json.dumps(data, indent=1, ensure_ascii=False)) + "\n"


def write_files(
    report: Report,
    folder: Path,
    others: Mapping[Path, str] | None = None,
    inputs: Iterable[Path] = (),
) -> list[Path]:
    """Write the files of a report, and `others` by their own paths; all or none.

    Each replaces the old one only once all are complete. What an earlier run made and this one does
    not is removed. Runs that write into the same folder wait for each other.

    Raises:
        WriteError: a folder cannot be made or a file not written, or a file is one of the
            inputs; the old files stay.
    """
    texts = {folder / name: text for name, text in report.files.items()}
    for path, text in (others or {}).items():
        if path in texts:
            raise WriteError(path, "this is another file of the run", "name another file")
        texts[path] = text
    check_targets(texts, inputs)
    made: list[Path] = []
    try:
        _make(folder, made)
        with locked(folder):
            leftovers = _leftovers(report, folder)
            for place in sorted({(folder / name).parent for name in report.files}):
                _make(place, made)
            write_texts(texts, leftovers)
    finally:
        # Only what is empty: after a failure, or as the last picture is gone.
        own = [folder / report.own_folder] if report.own_folder else []
        for path in (*own, *reversed(made)):
            with contextlib.suppress(OSError):
                path.rmdir()
            kept(path)
    return list(texts)


def stale_files(report: Report, folder: Path) -> list[Path]:
    """Return the files that are missing on disk, differ from the report, or are left over.

    Raises:
        WriteError: a link stands where the report has a folder of its own.
    """
    leftovers = _leftovers(report, folder)
    stale = [
        folder / name
        for name, text in report.files.items()
        if _read(folder / name) != text.encode()
    ]
    return stale + leftovers


def _leftovers(report: Report, folder: Path) -> list[Path]:
    """Return what a former run made in the report's own folder, is as it was, and not wanted."""
    if not report.own_folder:
        return []
    own = folder / report.own_folder
    if os.path.islink(own):  # which does not raise
        raise WriteError(own, "it is a link, and pictures go into a folder", "remove the link")
    former = _made(own)
    found = [own / name for name, digest in former.items() if _is_as_made(own / name, digest)]
    if former:
        found.append(own / MANIFEST)
    wanted = {folder / name for name in report.files}
    return sorted(path for path in found if path not in wanted)


def _made(own: Path) -> dict[str, str]:
    """Return the hashes of the files that a former run made in a folder, by their names."""
    try:
        data = json.loads(_read(own / MANIFEST) or b"")
        names = data["files"] if "specc" in data else {}
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}  # none of ours
    if not isinstance(names, dict):
        return {}
    return {name: digest for name, digest in names.items() if PurePath(name).name == name}


def _is_as_made(path: Path, digest: str) -> bool:
    data = None if path.is_symlink() else _read(path)
    return data is not None and _digest(data) == digest


def _make(folder: Path, made: list[Path]) -> None:
    """Make a folder, and note those that were not there, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
    made += missing[::-1]
    try:
        with held():
            folder.mkdir(parents=True, exist_ok=True)
            for path in missing[::-1]:
                undone(path, path.rmdir)  # what is not empty stays
    except OSError as error:
        raise WriteError.because(folder, error) from None


def _read(path: Path) -> bytes | None:
    try:
        return read_bytes(path, LARGEST_FILE_BYTES)
    except (OSError, ValueError):
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
