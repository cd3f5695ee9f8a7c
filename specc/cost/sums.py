"""Sums over the operators of steps, for many layouts at once.

What costs time is the number of calls and of rows, so each different operator is computed once for
all layouts that run it (see `stacks.py`), and once for all steps in which it has the same rows.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from specc.cost.operators.base import Key, Operator
from specc.cost.operators.communication import CollectiveOperator
from specc.cost.stacks import Stacks
from specc.cost.steps import Column, Sequences, StepTable
from specc.cost.times import PARTS, StepTimes

# Values of an operator that are computed in one call: temporary columns stay in the cache.
_AT_ONCE = 32_768
# Seconds of operators that are kept at a time, over all operators, and the rows of such a table.
_KEPT, _FEWEST_ROWS, _MOST_ROWS = 400_000, 256, 8192
# Steps from which it pays to look for equal ones.
_MANY = 64
_MOST_CODES = 2**62  # of pairs of rows: a code is a whole number of 64 bits
_TOTAL = len(PARTS)
_BLOCK = 8  # operators whose sums are kept for lists that have all of them

Classes = dict[Key, Column]


class OperatorRules(Protocol):
    """What tells the time of an operator."""

    def time(self, operator: Operator, steps: StepTable) -> StepTimes:
        """Return the time of one run of an operator in each step."""


@frozen(eq=False)
class Sums:
    """Seconds of the operators of steps, each as often as it runs.

    Attributes:
        parts: the parts of a time, and their total, shape (6, N).
        exchanged: of it on token copies to experts and back, shape (N,).
        pooled: of it on what replicas with shared experts pool, shape (N,).
        classes: totals of classes of operators, each of shape (N,).
    """

    parts: Column
    exchanged: Column
    pooled: Column
    classes: Classes

    @property
    def total(self) -> Column:
        """Seconds of all operators, shape (N,)."""
        total: Column = self.parts[_TOTAL]
        return total

    @property
    def times(self) -> StepTimes:
        """The times of the steps; their deviation is left out."""
        columns = dict(zip(PARTS, self.parts, strict=False))
        none = np.zeros(len(self.total))
        return StepTimes(**columns, total=self.total, deviation=none, pooled=self.pooled)

    def at(self, place: NDArray[np.intp] | None) -> "Sums":
        """Return the rows that an index picks; all for None."""
        if place is None:
            return self
        classes = {key: column[place] for key, column in self.classes.items()}
        return Sums(self.parts[:, place], self.exchanged[place], self.pooled[place], classes)

    @classmethod
    def of(cls, sums: Sequence["Sums"], rows: int) -> "Sums":
        """Add up sums of the same steps."""
        parts = np.zeros((len(PARTS) + 1, rows))
        exchanged, pooled = np.zeros(rows), np.zeros(rows)
        classes: Classes = {}
        for one in sums:
            parts += one.parts
            exchanged += one.exchanged
            pooled += one.pooled
            for key, column in one.classes.items():
                classes[key] = classes[key] + column if key in classes else column
        return cls(parts, exchanged, pooled, classes)


@frozen
class _Block:
    """Some operators that follow each other in a list: their places, and how often each runs.

    Attributes:
        before: the place of the operator before the first.
    """

    places: tuple[int, ...]
    repeats: tuple[float, ...]
    before: int | None

    def added(self, operators: Sequence[Operator], seconds: Column) -> Sums:
        """Return the sums of these operators from the seconds of all."""
        total, rows = np.zeros(seconds.shape[1:]), seconds.shape[-1]
        exchanged, pooled = np.zeros(rows), np.zeros(rows)
        classes: Classes = {}
        before = self.before
        for place, repeat in zip(self.places, self.repeats, strict=True):
            operator, part = operators[place], seconds[place] * repeat
            if before is not None and _is_hidden(operator):
                part *= share_beyond(seconds[place, _TOTAL], seconds[before, _TOTAL])
            total += part
            key = operator.key
            classes[key] = classes[key] + part[_TOTAL] if key in classes else part[_TOTAL]
            if operator.exchanges:
                exchanged += part[_TOTAL]
            if operator.is_pooled:
                pooled += part[_TOTAL]
            before = place
        return Sums(total, exchanged, pooled, classes)


def share_beyond(time: Column, before: Column) -> Column:
    """Return the share that is left of a time which runs while the operator before it does."""
    share: Column = np.maximum(time - before, 0.0) / np.maximum(time, 1e-15)
    return share


def _is_hidden(operator: Operator) -> bool:
    """Say whether an operator runs while the one before it does."""
    return isinstance(operator, CollectiveOperator) and operator.overlapped


@frozen(eq=False)
class OperatorLists:
    """Lists of operators, with each different one once.

    Attributes:
        stacks: the operators.
        blocks: different blocks of them: layouts that differ in their experts alone have those
            of the other layers in common.
        lists: the blocks of each list, in order.
    """

    stacks: Stacks
    blocks: tuple[_Block, ...]
    lists: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, lists: Sequence[Sequence[Operator]]) -> "OperatorLists":
        """Return lists of operators."""
        stacks = Stacks.of(lists)
        blocks: dict[_Block, int] = {}
        found = []
        for operators, places in zip(lists, stacks.places, strict=True):
            repeats = tuple([operator.repeat for operator in operators])
            own = []
            for first in range(0, len(places), _BLOCK):
                part = slice(first, first + _BLOCK)
                before = places[first - 1] if first else None
                block = _Block(places[part], repeats[part], before)
                own.append(blocks.setdefault(block, len(blocks)))
            found.append(tuple(own))
        return cls(stacks, tuple(blocks), tuple(found))

    def sums(self, rules: OperatorRules, steps: StepTable) -> list[Sums]:
        """Return the sums of each list."""
        seconds = self._seconds(rules, steps)
        operators = self.stacks.operators
        blocks = [block.added(operators, seconds) for block in self.blocks]
        known: dict[tuple[int, ...], Sums] = {}
        for places in self.lists:
            if places not in known:
                known[places] = Sums.of([blocks[place] for place in places], len(steps))
        return [known[places] for places in self.lists]

    def _seconds(self, rules: OperatorRules, steps: StepTable) -> Column:
        """Return the parts and the total of one run of each operator, shape (operators, 6, N)."""
        rows = len(steps)
        seconds = np.empty((self.stacks.size, len(PARTS) + 1, rows))
        for stack in self.stacks.stacks:
            for places, operator in stack.pieces(max(1, _AT_ONCE // max(rows, 1))):
                time = rules.time(operator, steps)
                for number, name in enumerate(PARTS):
                    seconds[places, number] = getattr(time, name)
                seconds[places, _TOTAL] = time.total
        return seconds


@frozen(eq=False, slots=False)
class OperatorSums:
    """Lists of operators of layouts, those that read contexts apart.

    All others depend on how many rows of each kind a step has: they are computed once for all
    steps with the same rows.
    """

    counting: OperatorLists
    reading: OperatorLists

    @classmethod
    def of(cls, lists: Sequence[Sequence[Operator]]) -> "OperatorSums":
        """Return lists of operators, one of each layout."""
        return cls(
            OperatorLists.of([[op for op in ops if not op.reads_contexts] for ops in lists]),
            OperatorLists.of([[op for op in ops if op.reads_contexts] for ops in lists]),
        )

    @cached_property
    def rows_at_once(self) -> int:
        """Steps to compute together: as many as the table of operators stays small with."""
        operators = self.counting.stacks.size + self.reading.stacks.size
        return min(max(_KEPT // max(operators, 1), _FEWEST_ROWS), _MOST_ROWS)

    def of_steps(self, rules: OperatorRules, steps: StepTable) -> list[Sums]:
        """Return the sums of each list."""
        different, place = _by_rows(steps)
        counting = self.counting.sums(rules, different)
        reading = self.reading.sums(rules, steps)
        return [
            Sums.of([one.at(place), other], len(steps))
            for one, other in zip(counting, reading, strict=True)
        ]


def _by_rows(steps: StepTable) -> tuple[StepTable, NDArray[np.intp] | None]:
    """Return one of all steps that have the same rows, and the place of each step among these.

    The steps themselves and no places where few of them are alike.
    """
    if len(steps) < _MANY:
        return steps, None
    codes, different = np.zeros(len(steps), np.int64), 1
    for column in _counts(steps):
        if column[0] != column[-1] or (column != column[0]).any():
            values, code = np.unique(column, return_inverse=True)
            codes = codes * len(values) + code
            different *= len(values)
            if 2 * len(values) > len(steps) or different > _MOST_CODES:
                return steps, None
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    if 2 * len(first) > len(steps):
        return steps, None
    return steps.at(first), place


def _counts(steps: StepTable) -> tuple[Column, ...]:
    phases: tuple[Sequences, ...] = (steps.prefill, steps.decode)
    of_phases = (column for s in phases for column in (s.requests, s.tokens))
    return (*of_phases, steps.patches, steps.patch_pairs)
