"""Steps of many closed forms, in as few calls of the cost model as there can be.

Layouts that serve the same requests run the same steps, some of them larger ones: the steps of all
are the rows of one table, and their operators are computed together (`cost/sums.py`).
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from attrs import frozen

from specc.cost import CostModel, StepTable, StepTimes, times_of
from specc.serving.closed import ClosedForm
from specc.serving.table import Integers


@frozen(eq=False)
class Asked:
    """A closed form, and the batch sizes that it is asked for, by rising size."""

    model: ClosedForm
    batches: Integers

    @property
    def cost(self) -> CostModel:
        """The cost model of its steps."""
        return self.model.server.cost


@frozen(eq=False)
class _Steps:
    """The steps of some closed forms with the same requests, from a place in a table on."""

    table: StepTable
    counts: tuple[Integers, ...]
    start: int

    @classmethod
    def of(cls, asked: Sequence[Asked], start: int) -> "_Steps":
        model = asked[0].model
        each = [one.model.counts(one.batches) for one in asked]
        counts = tuple(_different(np.concatenate(kind)) for kind in zip(*each, strict=True))
        return cls(model.steps_of(*counts), counts, start)

    def rows(self, asked: Asked) -> Integers:
        """Return the places of the steps of a closed form."""
        start, places = self.start, []
        for known, wanted in zip(self.counts, asked.model.counts(asked.batches), strict=True):
            places.append(start + np.searchsorted(known, wanted))
            start += len(known)
        return np.concatenate(places)


def _different(counts: Integers) -> Integers:
    """Return the different ones of some small counts, by rising size."""
    return np.flatnonzero(np.bincount(counts))


def times_together(asked: Sequence[Asked]) -> list[StepTimes]:
    """Return the times of the steps of closed forms without draft models of their own."""
    found: list[StepTimes | None] = [None] * len(asked)
    for family in _families(asked):
        for place, times in _family_times(asked, family):
            found[place] = times
    return [times for times in found if times is not None]


def _families(asked: Sequence[Asked]) -> list[list[int]]:
    """Return the places of those whose cost models have like rules and the same requests."""
    of_cost: dict[int, list[int]] = defaultdict(list)
    for place, one in enumerate(asked):
        of_cost[id(one.cost)].append(place)
    families: dict[Hashable, list[int]] = defaultdict(list)
    for places in of_cost.values():
        cost = asked[places[0]].cost
        requests = frozenset(asked[place].model.key for place in places)
        families[id(cost.rules), cost.cut, requests] += places
    return list(families.values())


def _family_times(asked: Sequence[Asked], family: Sequence[int]) -> list[tuple[int, StepTimes]]:
    alike: dict[Hashable, list[int]] = defaultdict(list)
    for place in family:
        alike[asked[place].model.key].append(place)
    parts: list[_Steps] = []
    rows: dict[int, Integers] = {}
    start = 0
    for places in alike.values():
        part = _Steps.of([asked[place] for place in places], start)
        rows |= {place: part.rows(asked[place]) for place in places}
        parts.append(part)
        start += len(part.table)
    costs = {id(asked[place].cost): asked[place].cost for place in family}
    most = dict.fromkeys(costs, 0)
    for place in family:
        cost = id(asked[place].cost)
        most[cost] = max(most[cost], int(rows[place].max()) + 1)
    table = StepTable.joined([part.table for part in parts])
    times = dict(
        zip(costs, times_of(tuple(costs.values()), table, tuple(most.values())), strict=True)
    )
    return [(place, times[id(asked[place].cost)].rows(rows[place])) for place in family]
