"""`specc check --fix`: applies the safe fixes of specs, and changes nothing else in them."""

import bisect
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from attrs import Factory, define

from specc import resources
from specc.check import check
from specc.diagnostics import Diagnostic, Fix
from specc.diagnostics.fix import apart, applied
from specc.reading import read_bytes
from specc.workspace import LARGEST_FILE_BYTES, UnreadableError, Workspace, decoded
from specc.writing import WriteError, replace_spec

MOST_ROUNDS = 20  # a fix may bring up another one: a `let` that only an unused one used


@define
class Fixed:
    """What was changed, a line each, and what could not be."""

    changes: list[str] = Factory(list)
    problems: list[Diagnostic] = Factory(list)


def fix_specs(paths: Sequence[Path], allow_paths: Sequence[Path] = ()) -> Fixed:
    """Apply the safe fixes of specs, round by round, until none is left.

    Only these files are changed, not what they use. A link stays a link: its target is changed.
    """
    named = {os.path.realpath(path): path for path in paths}
    found, locked = Fixed(), set[str]()
    for _ in range(MOST_ROUNDS):
        fixes = {key: f for key, f in _safe_fixes(named, allow_paths).items() if key not in locked}
        for key, pairs in fixes.items():
            problem = _write(named[key], [fix for _, fix in pairs])
            if problem is not None:
                found.problems.append(problem)
                locked.add(key)
                continue
            found.changes += [f"{fix.span}: {d.title_of(fix)}" for d, fix in pairs]
        if fixes.keys() <= locked:
            break
    return found


def _safe_fixes(
    named: dict[str, Path], allow_paths: Sequence[Path]
) -> dict[str, list[tuple[Diagnostic, Fix]]]:
    """Return the safe fixes of each spec that has some; they do not touch each other."""
    library = resources.folder("specs/std").resolve()
    safe: dict[str, dict[Fix, Diagnostic]] = {}
    used: set[str] = set()
    for key, path in named.items():
        workspace = Workspace.of_spec(path, allow_paths)
        for diagnostic in check(workspace, path)[1]:
            for fix in diagnostic.fixes:
                owner = os.path.realpath(workspace.path_of(fix.span.source))
                if owner == key and diagnostic.is_safe(fix):
                    safe.setdefault(key, {})[fix] = diagnostic
        read = {os.path.realpath(path.parent / name) for name in workspace.hashes}
        used |= read - {key}
    for key in used & safe.keys():
        # What looks unused in a file, and would be removed, may be there for another one.
        safe[key] = {fix: d for fix, d in safe[key].items() if d.is_error or fix.text}
    return {
        key: [(found[fix], fix) for fix in apart(found)]
        for key, found in safe.items()
        if found and not Path(key).is_relative_to(library)
    }


def _write(path: Path, fixes: list[Fix]) -> Diagnostic | None:
    """Write the fixes of a file; return the problem if that does not work."""
    source = fixes[0].span.source
    try:
        if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
            return _unwritable(path, "it is read-only")
        data = read_bytes(path, LARGEST_FILE_BYTES)
        if decoded(data, source.name, None) != source.text:
            return _unwritable(path, "it was changed in the meantime")
        replace_spec(path, _fixed(data.decode(), fixes))
    except (UnreadableError, WriteError) as error:
        return error.diagnostic
    except OSError as error:
        return _unwritable(path, (error.strerror or str(error)).lower())
    return None


def _fixed(raw: str, fixes: Iterable[Fix]) -> str:
    """Apply fixes to a text as it is in its file: with its byte order mark and its line ends."""
    mark = len(raw) - len(raw.removeprefix("\ufeff"))
    returns = [m.start() - mark - n for n, m in enumerate(re.finditer("\r\n", raw))]

    def place(offset: int) -> int:
        return offset + mark + bisect.bisect_left(returns, offset)

    moved = [
        Fix(fix.span._replace(start=place(fix.span.start), end=place(fix.span.end)), fix.text)
        for fix in fixes
    ]
    return applied(raw, moved)


def _unwritable(path: Path, reason: str) -> Diagnostic:
    return Diagnostic("E0006", f"cannot write '{path}': {reason}")
