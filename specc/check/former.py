"""Former names of fields and facts: accepted, with a warning and a fix."""

from collections.abc import Sequence

import attrs

from specc.check.problems import Problems
from specc.diagnostics import Diagnostic, Fix, Help
from specc.ir.vocabulary import Node, current_names
from specc.syntax import Path


def current_path(path: Path, cls: type[Node] | None, problems: Problems) -> Path:
    """Return the path of a field inside of a class by its present names; report former ones."""
    return renamed(path, current_names(cls, [name.text for name in path.names]), problems)


def renamed(path: Path, names: Sequence[str], problems: Problems) -> Path:
    """Return a path with other names in the same places, and report each that differs."""
    if [name.text for name in path.names] == list(names):
        return path
    for written, name in zip(path.names, names, strict=True):
        if written.text != name:
            problems.add(
                Diagnostic.at(
                    written.span,
                    "W0007",
                    f"'{written.text}' was renamed to '{name}'",
                    help=Help(f"write {name}", Fix(written.span, name)),
                )
            )
    pairs = zip(path.names, names, strict=True)
    return attrs.evolve(path, names=tuple(attrs.evolve(old, text=name) for old, name in pairs))
