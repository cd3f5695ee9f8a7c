"""Equality, hash and text of data classes, written once.

attrs compiles these three for every class. For some two hundred classes that takes a tenth of the
start of `specc run`, and no hot path compares them.
"""

from enum import Enum
from typing import Any

from attrs import fields


class Record:
    """Base of attrs classes made with `eq=False, repr=False`.

    Fields declared with `eq=False` neither count nor show.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Record)
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self._parts()))

    def __repr__(self) -> str:
        pairs = zip(_counted(type(self)), self._parts(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in _counted(type(self)))


class Choice(Enum):
    """A choice that dictionaries find by identity; `Enum` hashes the names of its members."""

    __hash__ = object.__hash__


def _counted(cls: Any) -> list[str]:
    return [a.name for a in fields(cls) if a.eq]
