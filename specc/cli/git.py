"""Asks git whether it ignores a spec, and for the files of a revision."""

import os
from pathlib import Path

from specc.diagnostics import Diagnostic, ExplainedError
from specc.fence import root_of
from specc.reading import read_bytes

LARGEST_IGNORE_FILE_BYTES = 2**20
_PATIENCE_S = 5
_ARCHIVE_PATIENCE_S = 120
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")


def ignored(path: Path) -> Diagnostic | None:
    """Return a warning if git ignores a file."""
    folder = Path(os.path.realpath(path.parent))
    root = root_of(folder)
    if root is None or not _may_be_ignored(folder, root):
        return None
    # Asked at the root: a stranger's folder can look like a repository of its own, with settings
    # that name a program to run.
    name = os.path.relpath(folder / path.name, root)
    if _git(root, "check-ignore", "-q", "--", name, patience=_PATIENCE_S) is None:
        return None
    return Diagnostic(
        "W0005",
        f"git ignores '{path}', so it will not be committed",
        help="add the line !*.spec to .gitignore, after the one that ignores it",
    )


def _may_be_ignored(folder: Path, root: Path) -> bool:
    """Read the ignore files up to the root of the repository; asking git takes 10 ms.

    The nearest file that says something about specs decides, with its last word.
    """
    for parent in (folder, *folder.parents):
        text = _text_of(parent / ".gitignore")
        said = [line for line in map(str.strip, text.splitlines()) if "spec" in line]
        said = [line for line in said if not line.startswith("#")]
        if said:
            return not said[-1].startswith("!")
        if parent == root:
            return False
    return False


def _text_of(path: Path) -> str:
    """Return the text of a file, or nothing if it cannot be read."""
    try:
        return read_bytes(path, LARGEST_IGNORE_FILE_BYTES).decode(errors="replace")
    except OSError:
        return ""


class RevisionError(ExplainedError):
    """A file of a git revision that cannot be had."""


def revision_of(name: str) -> tuple[str, str] | None:
    """Return the revision and the file of `main:plan.spec`; None if it does not name one."""
    revision, colon, path = name.partition(":")
    if not colon or not revision or not path or revision.startswith("-"):
        return None
    return revision, path


def extracted(revision: str, path: str, folder: Path) -> Path:
    """Write the files of a revision into a folder, and return where one of them is.

    Args:
        revision: what git knows it by.
        path: of the file, from the root of the repository, or else from the current folder.
        folder: an empty one.

    Raises:
        RevisionError: there is no repository, no such revision, or no such file in it.
    """
    import io
    import tarfile

    root = root_of(Path(os.path.realpath(".")))
    if root is None:
        raise RevisionError(
            f"'{revision}:{path}' is no file, and the current folder is in no git repository",
            help="name a spec or a result file, or change into the repository",
        )
    names = [path, os.path.normpath(os.path.join(os.path.relpath(".", root), path))]
    found = [n for n in names if _git(root, "cat-file", "-e", f"{revision}:{n}") is not None]
    if not found:
        commit = f"{revision}^{{commit}}"
        if _git(root, "rev-parse", "--verify", "--quiet", commit) is None:
            raise RevisionError(
                f"git knows no revision '{revision}'", help="see: git log --oneline"
            )
        raise RevisionError(
            f"there is no '{path}' in {revision}",
            help=f"see: git ls-tree -r --name-only {revision}",
        )
    data = _git(root, "archive", "--format=tar", revision)
    if data is None:
        raise RevisionError(f"git cannot read the files of {revision}", help="see: git fsck")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(folder, filter="data")
    return folder / found[0]


def _git(root: Path, *arguments: str, patience: float = _ARCHIVE_PATIENCE_S) -> bytes | None:
    """Return what git prints; None if it fails."""
    import subprocess

    try:
        done = subprocess.run(
            ["git", *_HARMLESS, *arguments],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=patience,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
