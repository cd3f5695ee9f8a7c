"""Which waiting prompts a step of the loop takes in, and how many sequences it decodes.

How is said by the `Loop` of a scheduler. All counts are of the whole instance. A prompt goes to the
replica with most of its budget left, and a chunk fits that; in the published planner replicas pool
their budgets.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from attrs import define, evolve, frozen

from specc.ir import Cut, Loop
from specc.records import Record
from specc.units import Tokens


@define
class Waiting:
    """Like prompts in the queue: shape, tokens and chunks that are done of each, and number."""

    shape: int
    done: Tokens
    chunk: int
    count: int


@define
class Admitted:
    """Like prompts that a step takes in, `query` new tokens each."""

    shape: int
    done: Tokens
    query: Tokens
    count: int
    last: bool


@frozen(eq=False, repr=False)
class Budget(Record):
    """What a step may take: tokens of the instance, of a chunk, and the share above for slack.

    `each` are the tokens of a sequence that decodes, drafted ones included, and `replicas` those
    that the tokens of the instance are divided among.
    """

    total: Tokens
    chunk: Tokens
    slack: float
    each: int = 1
    replicas: int = 1

    def rooms(self, left: Tokens) -> list[Tokens]:
        """Return what is left for each replica, as a heap with the largest first."""
        return [-(left // self.replicas)] * self.replicas

    def decoding(self, ready: int) -> int:
        """Return how many of the ready sequences a step decodes."""
        return min(ready, self.total // self.each)

    @property
    def limit(self) -> Tokens:
        """Tokens of a step with its slack."""
        return int(self.total * (1 + self.slack) + 1e-9)


Lengths = tuple[Tokens, ...]
Taking = Callable[["deque[Waiting]", Lengths, Tokens, Budget], list[Admitted]]


def composed(
    loop: Loop, waiting: "deque[Waiting]", new: Lengths, ready: int, budget: Budget
) -> tuple[list[Admitted], int]:
    """Return the prompts that a step takes in from the queue, and how many sequences it decodes.

    Args:
        loop: how the scheduler forms steps.
        waiting: the queue of prompts; those taken in are taken out, or put back with a chunk done.
        new: tokens to compute of a prompt of each shape.
        ready: sequences that could decode.
        budget: what the step may take.

    Raises:
        ValueError: a prompt that is taken whole or not at all is longer than the chunk budget.
    """
    decoding = budget.decoding(ready)
    if not waiting:
        return [], decoding
    left = budget.limit - (decoding * budget.each if loop.beside else 0)
    taken = _TAKINGS[loop.cut](waiting, new, left, budget)
    return taken, decoding if loop.beside or not taken else 0


def _in_chunks(
    waiting: "deque[Waiting]", new: Lengths, left: Tokens, budget: Budget
) -> list[Admitted]:
    """Take prompts at the chunk of the foremost one; one with chunks left goes to the back.

    So does the reference planner.
    """
    admitted, unfinished, rooms = [], [], budget.rooms(left)
    front = waiting[0].chunk
    while waiting and waiting[0].chunk == front:
        group = waiting[0]
        query = min(budget.chunk, new[group.shape] - group.done)
        count = _dealt(rooms, query, group.count)
        if count <= 0:
            break
        taken = _take(waiting, count, query, new)
        admitted.append(taken)
        if not taken.last:
            unfinished.append(Waiting(group.shape, group.done + query, front + 1, count))
    waiting.extend(unfinished)
    return admitted


def _in_parts(
    waiting: "deque[Waiting]", new: Lengths, left: Tokens, budget: Budget
) -> list[Admitted]:
    """Take prompts in order, the last one in part."""
    admitted, unfinished, rooms = [], [], budget.rooms(left)
    while waiting and rooms[0] < 0:
        group = waiting[0]
        rest = new[group.shape] - group.done
        query = min(rest, -rooms[0], budget.chunk)
        count = _dealt(rooms, query, group.count)
        taken = _take(waiting, count, query, new)
        admitted.append(taken)
        if not taken.last:
            unfinished.append(Waiting(group.shape, group.done + query, group.chunk + 1, count))
    waiting.extendleft(reversed(unfinished))
    return admitted


def _whole(waiting: "deque[Waiting]", new: Lengths, left: Tokens, budget: Budget) -> list[Admitted]:
    """Take whole prompts in order, each on the replica that has most room left."""
    rooms = evolve(budget, replicas=budget.total // budget.chunk).rooms(left)
    admitted = []
    while waiting:
        query = new[waiting[0].shape]
        if query > budget.chunk:
            raise ValueError(f"a prompt of {query} tokens exceeds the budget of {budget.chunk}")
        count = _dealt(rooms, query, waiting[0].count)
        if not count:
            break
        admitted.append(_take(waiting, count, query, new))
    return admitted


def _dealt(rooms: list[Tokens], query: Tokens, most: int) -> int:
    """Deal chunks to the replicas with most room; return how many of `most` there is room for."""
    if len(rooms) == 1:
        count = min(most, -rooms[0] // query)
        rooms[0] += count * query
        return count
    count = 0
    while count < most and query <= -rooms[0]:
        heapq.heapreplace(rooms, rooms[0] + query)
        count += 1
    return count


_TAKINGS: dict[Cut, Taking] = {
    Cut.CHUNK: _in_chunks,
    Cut.PART: _in_parts,
    Cut.WHOLE: _whole,
}


def _take(waiting: "deque[Waiting]", count: int, query: Tokens, new: Lengths) -> Admitted:
    """Take `count` prompts from the head of the queue."""
    group = waiting[0]
    group.count -= count
    if not group.count:
        waiting.popleft()
    last = group.done + query == new[group.shape]
    return Admitted(group.shape, group.done, query, count, last)


def interleaved(counts: tuple[int, ...], batch: int) -> "Iterator[deque[Waiting]]":
    """Deal requests to batches of one size, each shape spread evenly; runs of one are a group."""
    shapes = np.repeat(np.arange(len(counts)), counts)
    places = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    order = shapes[np.lexsort((shapes, places))]
    begins = np.arange(len(order)) % batch == 0
    starts = np.flatnonzero(begins | (order != np.roll(order, 1)))
    sizes = np.diff(starts, append=len(order))
    waiting: deque[Waiting] = deque()
    columns = (begins[starts], order[starts], sizes)
    for begin, shape, size in zip(*(column.tolist() for column in columns), strict=True):
        if begin and waiting:
            yield waiting
            waiting = deque()
        waiting.append(Waiting(shape, 0, 0, size))
    if waiting:
        yield waiting
