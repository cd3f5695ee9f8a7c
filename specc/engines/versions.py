"""Versions of software as texts: `0.18`, `v0.18.0`, `0.18.0rc1`, `2.1.RC1`."""

import re

Release = tuple[int, ...]

_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9})*)(?:[.+_-]?[a-z][a-z0-9.+_-]*)?", re.IGNORECASE)


class VersionError(ValueError):
    """A text that is no version."""


def release_of(version: str) -> Release:
    """Return the numbers of a version, for comparison: (0, 18) of "0.18.0".

    Zeros at the end do not count. What comes after the numbers does not either: a release
    candidate and a post-release are made from the branch of their release.

    Raises:
        VersionError: the text is no version.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise VersionError(version)
    numbers = [int(part) for part in found[1].split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
