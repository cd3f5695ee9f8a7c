"""The requests of a simulation, and what became of them."""

from collections.abc import Sequence

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

Integers = NDArray[np.int64]
REJECTED = -1  # a time that never came


class TooLongError(ValueError):
    """A simulation that lasts longer than whole picoseconds can tell."""


@frozen(eq=False)
class Requests:
    """Requests in the order of their arrival; arrays of shape (N,).

    Attributes:
        arrival: when each arrives, in picoseconds from the start.
        input, cached, output: tokens of the prompt, of its part in the prefix cache whatever that
            holds (a flat hit rate), and of the output.
        bin: row of the table of lengths that each belongs to, 0 where there is none.
        blocks: hashes of the prefix blocks of each, for a cache that finds them; or None.
        block_tokens: tokens of such a block.
        first_token: when another instance has brought the first token, in picoseconds; or None.
        seed: from which is drawn what becomes of drafted tokens.
        category: class of each, by its place in the workload; None without classes.
        priority: of each, 1 first; None where all are alike.
    """

    arrival: Integers
    input: Integers
    cached: Integers
    output: Integers
    bin: Integers
    blocks: Sequence[Sequence[int]] | None = None
    block_tokens: int = 0
    first_token: Integers | None = None
    seed: int = 0
    category: Integers | None = None
    priority: Integers | None = None

    def __len__(self) -> int:
        return len(self.arrival)

    def rows(self, index: Integers) -> "Requests":
        """Return some of the requests, in the order of the index."""
        return Requests(
            arrival=self.arrival[index],
            input=self.input[index],
            cached=self.cached[index],
            output=self.output[index],
            bin=self.bin[index],
            blocks=None if self.blocks is None else [self.blocks[i] for i in index.tolist()],
            block_tokens=self.block_tokens,
            first_token=None if self.first_token is None else self.first_token[index],
            seed=self.seed,
            category=None if self.category is None else self.category[index],
            priority=None if self.priority is None else self.priority[index],
        )


@frozen(eq=False)
class Served:
    """What became of requests; times in picoseconds, `REJECTED` where there is none.

    Attributes:
        start: when a step first took the request in, shape (N,).
        first: when its first token came.
        finish: when its last token came.
        preemptions: how often it lost its cache and was computed again.
        hits: prompt tokens that were found in the cache, over all its starts.
    """

    start: Integers
    first: Integers
    finish: Integers
    preemptions: Integers
    hits: Integers

    def first_of(self, count: int) -> "Served":
        """Return what became of the first requests."""
        columns = (self.start, self.first, self.finish, self.preemptions, self.hits)
        return Served(*(column[:count] for column in columns))


@frozen(eq=False)
class Gaps:
    """Times between tokens, all requests pooled: distinct durations and how often each came.

    Both of shape (N,), durations in picoseconds and rising.
    """

    durations: Integers = field(factory=lambda: np.zeros(0, np.int64))
    counts: Integers = field(factory=lambda: np.zeros(0, np.int64))

    @classmethod
    def of(cls, durations: Integers, counts: Integers) -> "Gaps":
        """Gather equal durations; what adds up to nothing is left out."""
        distinct, index = np.unique(durations, return_inverse=True)
        summed = np.zeros(len(distinct), np.int64)
        np.add.at(summed, index, counts)
        kept = summed != 0
        return cls(distinct[kept], summed[kept])

    @classmethod
    def joined(cls, parts: "Sequence[Gaps]") -> "Gaps":
        """Return the gaps of several engines."""
        if not parts:
            return cls()
        return cls.of(
            np.concatenate([p.durations for p in parts]), np.concatenate([p.counts for p in parts])
        )
