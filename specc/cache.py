"""What can be made again, kept in the user's cache folder: plain data, of which none is ever run.

An entry is a JSON text below a hash of it, in a file that is named after all that it depends on. An
entry that is missing, damaged or another user's is not there, and one that cannot be kept is not
kept: nobody is told, as nothing but time is lost. What every user would keep is in the installation
already, and is looked for there first.
"""

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from attrs import frozen

from specc import resources
from specc.atomic import staged
from specc.reading import read_bytes

LARGEST_ENTRY_BYTES = 16 * 2**20


@frozen(eq=False, repr=False)
class CacheEntry:
    """A place in the cache; without a path nothing is kept.

    Attributes:
        path: the file.
        is_installed: whether it is part of the installation, which is trusted and not written.
    """

    path: Path | None
    is_installed: bool = False

    def load(self) -> Any:
        """Return what was kept, or None. Its form is not checked."""
        if self.path is None:
            return None
        # Whoever wrote a damaged file may have written anything, so reading it may fail anyhow.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if not self.is_installed and not _is_own(self.path):
                return None
            digest, _, text = read_bytes(self.path, LARGEST_ENTRY_BYTES).partition(b"\n")
            if digest == _digest(text).encode():
                return json.loads(text)
        return None

    def save(self, data: Any) -> None:
        """Keep plain data, whole or not at all."""
        if self.path is None or self.is_installed:
            return
        text = json.dumps(data, separators=(",", ":"))
        whole = f"{_digest(text.encode())}\n{text}"
        with contextlib.suppress(OSError), staged(self.path, whole) as source:
            source.replace(self.path)


def entry(kind: str, *depends_on: str) -> CacheEntry:
    """Return the place of what is made of these texts."""
    key = hashlib.sha256("\0".join(depends_on).encode()).hexdigest()[:24]
    name = f"{kind}-{key}.json"
    installed = resources.MADE / name
    if installed.is_file():
        return CacheEntry(installed, is_installed=True)
    kept_in = folder()
    return CacheEntry(kept_in / name if kept_in else None)


def folder() -> Path | None:
    """Return the user's cache folder, made if need be; None if there can be none."""
    with contextlib.suppress(OSError, RuntimeError):
        path = _place()
        if path.is_absolute():  # else there is no home
            path.mkdir(parents=True, exist_ok=True)
            return path if _is_own(path) else None
    return None


def _place() -> Path:
    if sys.platform != "linux":
        import platformdirs

        return Path(platformdirs.user_cache_dir("specc", appauthor=False))
    # The same, without the import, which takes longer than reading all that is kept.
    set_ = os.environ.get("XDG_CACHE_HOME", "")
    return Path(set_ if os.path.isabs(set_) else os.path.expanduser("~/.cache"), "specc")


def _is_own(path: Path) -> bool:
    """Tell whether a file or folder belongs to whoever runs this; everything does on Windows."""
    user = getattr(os, "geteuid", None)
    return user is None or path.stat().st_uid == user()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
