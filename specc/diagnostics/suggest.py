"""Did you mean …? Near misses among known names."""

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name closest to `name`, ignoring case, or None if none is close."""
    import difflib

    by_folded: dict[str, str] = {}
    for candidate in sorted(known):
        by_folded.setdefault(candidate.casefold(), candidate)
    matches = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str], what: str, more: Iterable[str] = ()) -> str:
    """Return a remedy: the near miss if there is one, else the list of what is known.

    `more` are names that a near miss may be of, but that are not worth listing.
    """
    names = sorted(set(known))
    close = nearest(name, [*names, *more])
    if close:
        return f"did you mean '{close}'?"
    return list_known(names, what)


def list_known(known: Iterable[str], what: str) -> str:
    """Return a remedy that lists what is known."""
    names = sorted(set(known))
    if not names:
        return f"there is no {what} here"
    shown = ", ".join(f"'{n}'" for n in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"known: {shown}{more}"
