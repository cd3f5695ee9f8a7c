"""Did you mean …? Near misses among known names."""

import re
from collections.abc import Iterable

from specc.diagnostics.fix import Fix, Help
from specc.diagnostics.span import Span


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, ignoring case, or None if none is close."""
    import difflib

    by_folded: dict[str, str] = {}
    for candidate in sorted(known):
        by_folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def _has_numbers_of(one: str, other: str) -> bool:
    """Say whether the numbers in one name begin with those in another, or the other way round."""
    pairs = zip(_numbers(one), _numbers(other), strict=False)
    return all(a == b for a, b in pairs)


# A name with other numbers is another thing there: a generation or a size is never changed.
_OF_GENERATIONS = ("model", "device")


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", name)


def beginning_with(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that begin with a name which is long enough to tell something."""
    begin = name.casefold()
    return sorted(n for n in known if len(begin) > 2 and n.casefold().startswith(begin))


def did_you_mean(
    name: str,
    known: Iterable[str],
    what: str,
    more: Iterable[str] = (),
    *,
    at: Span | None = None,
    is_guess: bool = False,
) -> Help:
    """Return a remedy: the near miss if there is one, else the list of what is known.

    `more` are names that a near miss may be of, but that are not worth listing. With `at`, where
    `name` stands, a near miss has a fix; it is no guess if it is the only known name that differs
    from `name` in upper and lower case alone, unless `is_guess` says that even this may be meant
    otherwise.
    """
    names = sorted(set(known))
    if what in _OF_GENERATIONS:
        longer = beginning_with(name, names)
        if len(longer) > 1:
            return Help(f"these begin so: {', '.join(map(repr, longer[:12]))}")
        alike = [n for n in (*names, *more) if _has_numbers_of(n, name)]
        close = longer[0] if longer else nearest(name, alike)
    else:
        close = nearest(name, [*names, *more])
    if not close:
        return Help(list_known(names, what))
    same = {n for n in (*names, *more) if n.casefold() == name.casefold()}
    return meant(close, name, at, is_guess=is_guess or same != {close})


def meant(close: str, name: str, at: Span | None, *, is_guess: bool = True) -> Help:
    """Return the remedy that writes `close` where `name` stands."""
    # The name may stand elsewhere, in a `let`: then there is nothing to fix here.
    stands = at is not None and at.text in (name, f'"{name}"')
    fix = Fix(at, close, is_guess) if at is not None and stands else None
    return Help(f"did you mean '{close}'?", fix)


def list_known(known: Iterable[str], what: str) -> str:
    """Return a remedy that lists what is known."""
    names = sorted(set(known))
    if not names:
        return f"there is no {what} here"
    shown = ", ".join(f"'{n}'" for n in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"known: {shown}{more}"
