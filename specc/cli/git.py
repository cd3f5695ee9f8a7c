"""Asks git whether it ignores a spec: the usual Python ignore list hides *.spec."""

import os
from pathlib import Path

from specc.diagnostics import Diagnostic
from specc.fence import root_of
from specc.reading import read_bytes

LARGEST_IGNORE_FILE_BYTES = 2**20
_PATIENCE_S = 5
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")


def ignored(path: Path) -> Diagnostic | None:
    """Return a warning if git ignores a file."""
    folder = Path(os.path.realpath(path.parent))
    root = root_of(folder)
    if root is None or not _may_be_ignored(folder, root):
        return None
    import subprocess

    name = os.path.relpath(folder / path.name, root)
    try:
        done = subprocess.run(
            # Asked at the root: a stranger's folder can look like a repository of its own, with
            # settings that name a program to run.
            ["git", *_HARMLESS, "check-ignore", "-q", "--", name],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
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
