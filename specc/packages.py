"""Installed packages of specs: distributions with an entry point in the group `specc.library`.

The entry point names a Python package that holds `*.spec` files, in a folder `specs` if there is
one. Specs are data: the files are found without importing the package, so none of its code runs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "specc.library"
_FOLDER = "specs"


class PackageError(Exception):
    """A package of specs that cannot be used; the message says why, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def installed() -> list[str]:
    """List the names of the installed packages of specs."""
    return sorted({entry.name for entry in _entries()})


def folder_of(name: str) -> Path | None:
    """Return the folder that holds the specs of a package, or None if none has the name.

    Raises:
        PackageError: two have it, or its folder cannot be found.
    """
    entries = [entry for entry in _entries() if entry.name == name]
    if not entries:
        return None
    if len(entries) > 1:
        raise PackageError(
            f"two installed packages are called '{name}': {' and '.join(map(_whose, entries))}",
            "uninstall one of them",
        )
    for package in _folders(entries[0].value):
        specs = package / _FOLDER
        folder = specs if specs.is_dir() else package
        if any(folder.glob("*.spec")):
            return folder
    raise PackageError(
        f"the package '{name}' of {_whose(entries[0])} holds no specs",
        f"its entry point names '{entries[0].value}': a Python package with *.spec files",
    )


def _entries() -> "Sequence[EntryPoint]":
    # Slow to import, and most specs use the standard library alone.
    from importlib.metadata import entry_points

    return list(entry_points(group=GROUP))


def _whose(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _folders(value: str) -> list[Path]:
    """Return where a Python package lies, which may be several folders; it is not imported."""
    from importlib.util import find_spec

    top, *below = value.partition(":")[0].strip().split(".")
    try:
        found = find_spec(top)  # a name without a dot has no parent that would be imported
    except ValueError:
        return []
    places = found.submodule_search_locations if found else None
    folders = (Path(place).absolute().joinpath(*below) for place in places or ())
    return [folder for folder in folders if folder.is_dir()]
