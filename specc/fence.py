"""The fence around a git repository: what specs in it may name, so that a stranger's spec is safe.

A merge request can hold a link to any file of the machine that checks it, or name one outright, and
messages show what they are about. So files that a spec names lie in its repository, unless the one
who runs specc allows their folder.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

_GIT = ".git"


@frozen(eq=False, repr=False)
class Fence:
    """What may be read: everything, or what lies in one repository or in an allowed folder.

    Attributes:
        repository: its root, without links; None where there is none, so that all may be read.
        allowed: further folders, or files, without links.
    """

    repository: Path | None = None
    allowed: tuple[Path, ...] = ()

    @classmethod
    def around(cls, folder: Path, allowed: Iterable[str | Path] = ()) -> "Fence":
        """Return the fence around the repository that a folder lies in, if it lies in one."""
        # A folder that a link in a repository leads to still belongs to that repository.
        places = (os.path.normpath(folder.absolute()), os.path.realpath(folder))
        roots = (root for place in places if (root := root_of(Path(place))) is not None)
        return cls(next(roots, None), tuple(Path(os.path.realpath(path)) for path in allowed))

    def refusal(self, path: Path) -> str:
        """Say why a file may not be read; nothing if it may. The file itself is not looked at."""
        if self.repository is None:
            return ""
        place = Path(os.path.realpath(path))
        if any(place.is_relative_to(folder) for folder in self.allowed):
            return ""
        if not place.is_relative_to(self.repository):
            return "is outside of the git repository"
        below = place.relative_to(self.repository).parts
        return "is in git's own folder" if _GIT in map(str.casefold, below) else ""


def root_of(folder: Path) -> Path | None:
    """Return the root of the repository that a folder lies in: the nearest one with `.git`."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place / _GIT):
            return Path(os.path.realpath(place))
    return None
