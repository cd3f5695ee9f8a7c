"""Like operators as one, with columns for what differs: the operators of many layouts are few.

An operator of a class in one layout differs from that in another by some numbers, heads or widths
of a device. In a `Stack` these are columns, and formulas broadcast them with the rows of a step
table. Each different operator is in one stack, once, however many layouts run it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, cast

import numpy as np
from attrs import Factory, evolve, fields, frozen
from numpy.typing import NDArray

from specc.cost.operators.base import Operator
from specc.records import Record

# What says how often an operator runs, and not what one run of it costs.
_OF_A_LIST = ("name", "repeat")

Key = tuple[Any, ...]
Reader = Callable[[Operator], Key]


@frozen(eq=False, repr=False)
class Stack(Record):
    """Operators of a class that differ in some of its `columns` alone.

    Attributes:
        first: one of them.
        columns: their values of the attributes that differ, each of shape (S, 1).
        start: place of the first among the operators of all stacks.
        size: operators.
    """

    first: Operator
    columns: dict[str, NDArray[Any]]
    start: int
    size: int

    def pieces(self, most: int) -> Iterator[tuple[slice, Operator]]:
        """Yield the places of up to `most` operators, and these as one operator."""
        if self.size <= most:
            yield slice(self.start, self.start + self.size), self._cut(0, self.size)
            return
        for first in range(0, self.size, most):
            last = min(first + most, self.size)
            yield slice(self.start + first, self.start + last), self._cut(first, last)

    def _cut(self, first: int, last: int) -> Operator:
        if not self.columns:
            return self.first
        cut: dict[str, Any] = {name: c[first:last] for name, c in self.columns.items()}
        return evolve(self.first, **cut)


@frozen(eq=False, repr=False)
class Stacks(Record):
    """The different operators of some lists, by stack.

    Attributes:
        stacks: the stacks.
        operators: the operators of all of them, in order.
        places: where each operator of each list is.
    """

    stacks: tuple[Stack, ...]
    operators: tuple[Operator, ...]
    places: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, lists: Iterable[Sequence[Operator]]) -> "Stacks":
        """Return the stacks of lists of operators."""
        alike: dict[Key, _Alike] = {}
        found = [[_added(alike, operator) for operator in operators] for operators in lists]
        stacks, starts, start = [], {}, 0
        for group in alike.values():
            starts[id(group)] = start
            stacks.append(_stack(group.operators, start))
            start += len(group.operators)
        places = (tuple(starts[id(group)] + place for group, place in own) for own in found)
        operators = tuple(operator for group in alike.values() for operator in group.operators)
        return cls(tuple(stacks), operators, tuple(places))

    @property
    def size(self) -> int:
        """Operators in all of them."""
        return len(self.operators)


@frozen(eq=False)
class _Alike:
    """Different operators that one stack takes, and the place of each by what it differs in."""

    operators: list[Operator] = Factory(list)
    places: dict[Key, int] = Factory(dict)


def _added(alike: dict[Key, _Alike], operator: Operator) -> tuple[_Alike, int]:
    """Return where an operator is among those that are like it, where it is added if it is new."""
    shared, own = _readers(cast("Hashable", type(operator)))
    kind = shared(operator)
    group = alike.get(kind)
    if group is None:
        group = alike[kind] = _Alike()
    place = group.places.setdefault(own(operator), len(group.operators))
    if place == len(group.operators):
        group.operators.append(operator)
    return group, place


@cache
def _readers(cls: Any) -> tuple[Reader, Reader]:
    """Return what reads the attributes that a stack shares, and those that may differ in one."""
    names = [f.name for f in fields(cls) if f.name not in _OF_A_LIST]
    # The class stands twice, so that a reader always returns a tuple.
    return (
        attrgetter("__class__", "kind", *(name for name in names if name not in cls.columns)),
        attrgetter("__class__", "__class__", *cls.columns),
    )


def _stack(operators: Sequence[Operator], start: int) -> Stack:
    first, columns = operators[0], {}
    if len(operators) > 1:
        for name in type(first).columns:
            values = [getattr(operator, name) for operator in operators]
            if any(value != values[0] for value in values):
                columns[name] = np.array(values)[:, None]
    return Stack(first, columns, start, len(operators))
