"""Schedulers: which waiting prompts a step takes in, and how many sequences it decodes.

Each is named by what it copies. All counts are of the whole instance: its replicas pool their
budgets, and a chunk of a prompt fits the budget of one replica.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby

from attrs import define, frozen

from specc.ir import Scheduler
from specc.units import Tokens


@define
class Waiting:
    """Like prompts in the queue: shape, tokens and chunks that are done of each, and number."""

    shape: int
    done: Tokens
    chunk: int
    count: int


@frozen
class Admitted:
    """Like prompts that a step takes in, `query` new tokens each."""

    shape: int
    done: Tokens
    query: Tokens
    count: int
    last: bool


@frozen
class Budget:
    """What a step may take: tokens of the instance, of a chunk, and the share above for slack.

    `each` are the tokens of a sequence that decodes, drafted ones included.
    """

    total: Tokens
    chunk: Tokens
    slack: float
    each: int = 1

    def decoding(self, ready: int) -> int:
        """Return how many of the ready sequences a step decodes."""
        return min(ready, self.total // self.each)

    @property
    def limit(self) -> Tokens:
        """Tokens of a step with its slack."""
        return int(self.total * (1 + self.slack) + 1e-9)


Lengths = tuple[Tokens, ...]
Admission = Callable[["deque[Waiting]", Lengths, int, Budget], tuple[list[Admitted], int]]


def with_slack(
    waiting: "deque[Waiting]", new: Lengths, ready: int, budget: Budget
) -> tuple[list[Admitted], int]:
    """`decode_first_with_slack`, the reference planner's.

    All ready sequences decode; prompts at the chunk of the foremost one fill what is left of the
    budget and its slack. A prompt with chunks left goes to the back.
    """
    decoding = budget.decoding(ready)
    left = budget.limit - decoding * budget.each
    admitted, unfinished = [], []
    front = waiting[0].chunk if waiting else 0
    while waiting and waiting[0].chunk == front:
        group = waiting[0]
        query = min(budget.chunk, new[group.shape] - group.done)
        count = min(group.count, left // query)
        if count <= 0:
            break
        left -= count * query
        taken = _take(waiting, count, query, new)
        admitted.append(taken)
        if not taken.last:
            unfinished.append(Waiting(group.shape, group.done + query, front + 1, count))
    waiting.extend(unfinished)
    return admitted, decoding


def decode_first(
    waiting: "deque[Waiting]", new: Lengths, ready: int, budget: Budget
) -> tuple[list[Admitted], int]:
    """`decode_first`, as vLLM V1: decodes, then prompts in order, the last one in part."""
    decoding = budget.decoding(ready)
    left = budget.total - decoding * budget.each
    admitted, unfinished = [], []
    while waiting and left > 0:
        group = waiting[0]
        rest = new[group.shape] - group.done
        query = min(rest, left, budget.chunk)
        count = max(1, min(group.count, left // query))
        left -= count * query
        taken = _take(waiting, count, query, new)
        admitted.append(taken)
        if not taken.last:
            unfinished.append(Waiting(group.shape, group.done + query, group.chunk + 1, count))
    waiting.extendleft(reversed(unfinished))
    return admitted, decoding


def prefill_first(
    waiting: "deque[Waiting]", new: Lengths, ready: int, budget: Budget
) -> tuple[list[Admitted], int]:
    """`prefill_first`, as vLLM V0: nothing decodes in a step as long as prompts wait."""
    if not waiting:
        return [], budget.decoding(ready)
    admitted, _ = decode_first(waiting, new, 0, budget)
    return admitted, 0


def _take(waiting: "deque[Waiting]", count: int, query: Tokens, new: Lengths) -> Admitted:
    """Take `count` prompts from the head of the queue."""
    group = waiting[0]
    group.count -= count
    if not group.count:
        waiting.popleft()
    last = group.done + query == new[group.shape]
    return Admitted(group.shape, group.done, query, count, last)


ADMISSIONS: dict[Scheduler, Admission] = {
    Scheduler.DECODE_FIRST_WITH_SLACK: with_slack,
    Scheduler.DECODE_FIRST: decode_first,
    Scheduler.PREFILL_FIRST: prefill_first,
}


def interleaved(counts: tuple[int, ...], batch: int) -> "Iterator[deque[Waiting]]":
    """Deal requests to batches of one size, each shape spread evenly; runs of one are a group."""
    places = sorted(
        ((number + 0.5) / count, shape)
        for shape, count in enumerate(counts)
        for number in range(count)
    )
    order = [shape for _, shape in places]
    for start in range(0, len(order), batch):
        runs = groupby(order[start : start + batch])
        yield deque(Waiting(shape, 0, 0, len(list(run))) for shape, run in runs)
