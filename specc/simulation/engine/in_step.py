"""Engines that run every step together: data-parallel ranks of a model with shared experts."""

from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from attrs import define, field

from specc.simulation.costs import RankCosts, elapsed
from specc.simulation.engine.base import NEVER, EngineStep, SimulatedEngine
from specc.simulation.engine.continuous import Continuous
from specc.simulation.engine.drafting import Drafting
from specc.simulation.requests import Gaps, Integers, TooLongError

FEW = 12  # steps, for which arrays do not pay
AT_ONCE = 256  # steps that are run together at most, where batches only age

Composed = tuple[SimulatedEngine, EngineStep]
Aging = tuple[int, frozenset[tuple[int, int]], int]


@define
class InStep:
    """Ranks with queues, budgets and caches of their own, whose steps begin and end together.

    A step takes as long as the longest of them: its own attention and dense layers, and the
    exchange with the experts and their work at the mean of the tokens of all. A rank that has
    nothing to do takes part with nothing.
    """

    engines: Sequence[SimulatedEngine]
    costs: RankCosts
    _gaps: "array[int]" = field(factory=lambda: array("q"))  # pairs of duration and number
    # The latest steps in which all batches only age: batches, contexts, their number; their ends.
    _aged: tuple[Aging, list[int]] | None = None
    _new: int = field(init=False)  # tokens of a sequence that decodes, in a step

    def __attrs_post_init__(self) -> None:
        """Note what all of them do."""
        self._new = self.engines[0].settings.new

    @property
    def now(self) -> int:
        """The time of all of them."""
        return self.engines[0].now

    @property
    def is_done(self) -> bool:
        """Whether all requests that were submitted have left."""
        return all(engine.is_done for engine in self.engines)

    @property
    def next_step(self) -> int:
        """When the next step begins, at the earliest."""
        return min(engine.next_step for engine in self.engines)

    @property
    def next_change(self) -> int:
        """A time before which they neither start nor end a request, and none waits."""
        steps = []
        for engine in self.engines:
            if engine.is_done:
                continue
            step = engine.only_ages()
            if step is None:
                return self.next_step
            steps.append((engine, step))
        if not steps or min(step.steps for _, step in steps) == 1:
            return self.next_step
        # A step that has begun is seen as it ends.
        return self.engines[0].now + self._ends(steps)[-2]

    def advance(self, until: int = NEVER) -> None:
        """Run all steps that begin before `until`."""
        while True:
            for engine in self.engines:
                self._arrive(engine)
            if all(engine.is_idle for engine in self.engines):
                upcoming = min(engine.next_arrival for engine in self.engines)
                if upcoming >= until:
                    return
                for engine in self.engines:
                    engine.wait(max(self.now, upcoming))
                continue
            if self.now >= until:
                if until == NEVER:
                    raise TooLongError
                return
            self._step(until)

    def _arrive(self, engine: SimulatedEngine) -> None:
        """Take in what an engine knows of; one that is idle knows of all that came."""
        engine.arrive()
        if engine.is_idle:
            engine.wait(engine.now)
            engine.arrive()

    def _step(self, until: int) -> None:
        """Run the next step, or several like it that begin before `until`."""
        composed: list[Composed] = []
        idle = []
        for engine in self.engines:
            step = None if engine.is_idle else engine.compose()
            if step is None:
                self._arrive(engine)
                step = None if engine.is_idle else engine.compose()
            if step is None:
                idle.append(engine)
            else:
                composed.append((engine, step))
        if not composed:
            return
        ends, steps = self._ends(composed), 1
        if len(ends) > 2:
            steps = len(ends) - 1
            for engine in self.engines:
                steps = engine.within(until, steps, ends, 0)
        self._complete(composed, idle, ends[: steps + 1])

    def _complete(
        self, composed: list[Composed], idle: list[SimulatedEngine], ends: list[int]
    ) -> None:
        steps, took = len(ends) - 1, ends[-1]
        if isinstance(self.engines[0], Continuous):  # others note the gaps of each token
            batch = sum(step.batch for _, step in composed)
            for first, last in pairwise(ends):
                self._gaps.extend((last - first, batch))
        for engine, step in composed:
            engine.complete(step, steps, took, (ends[1], took - ends[-2]))
        for engine in idle:
            engine.wait(engine.now + took)

    def _ends(self, composed: list[Composed]) -> list[int]:
        """Return when each of the steps ends that may follow each other, from 0."""
        steps = min(step.steps for _, step in composed)
        total = sum(step.tokens + step.batch * self._new for _, step in composed)
        if steps == 1:
            return [0, max(self._duration(step, total) for _, step in composed)]
        steps = min(steps, AT_ONCE)
        if self._new > 1:
            return self._uneven(composed, total, steps)
        # Ranks with the same batch and context are as fast.
        different = frozenset((step.batch, step.context) for _, step in composed)
        aging = total, different, steps
        if self._aged is None or self._aged[0] != aging:
            together = self._few if steps <= FEW else self._many
            self._aged = aging, together(different, total, steps)
        return self._aged[1]

    def _uneven(self, composed: list[Composed], total: int, steps: int) -> list[int]:
        """Return when steps end in which all batches only age, by what each of them accepts."""
        costs, longest = self.costs, [0] * steps
        for engine, step in composed:
            assert isinstance(engine, Drafting)
            sums, spread = costs.decode(step.batch), costs.spread(step.batch * self._new, total)
            least = costs.least(0, step.batch)
            for n, context in enumerate(engine.contexts(steps)):
                own = max(sums[context + 1] - sums[context] + spread, least)
                longest[n] = max(longest[n], own)
        return [0, *accumulate(longest)]

    def _few(self, different: frozenset[tuple[int, int]], total: int, steps: int) -> list[int]:
        """Return when steps end in which all batches only age: of a few, one by one."""
        costs, longest = self.costs, [0] * steps
        for batch, first in different:
            sums, spread = costs.decode(batch), costs.spread(batch, total)
            least, before = costs.least(0, batch), sums[first]
            for step in range(steps):
                after = sums[first + step + 1]
                longest[step] = max(longest[step], after - before + spread, least)
                before = after
        return [0, *accumulate(longest)]

    def _many(self, different: frozenset[tuple[int, int]], total: int, steps: int) -> list[int]:
        """Return when steps end in which all batches only age: of many, together."""
        ages = [self._ages(*own, total, steps) for own in different]
        return [0, *np.cumsum(np.max(ages, axis=0)).tolist()]

    def _duration(self, step: EngineStep, total: int) -> int:
        """Return how long the step of one rank takes, with so many new tokens on all.

        That of its kernels, or what the host takes to launch them if that is longer.
        """
        costs, context = self.costs, step.context
        if step.prompts:
            own = costs.mixed(step.tokens, step.keys, step.batch, context)
        else:
            sums = costs.decode(step.batch)
            own = sums[context + 1] - sums[context]
        own += costs.spread(step.tokens + step.batch * self._new, total)
        return max(own, costs.least(step.tokens, step.batch))

    def _ages(self, batch: int, first: int, total: int, steps: int) -> Integers:
        """Return the times of steps in which the batch of one rank only ages."""
        sums = elapsed(self.costs.decode(batch), first, first + steps)
        own = np.diff(sums) + self.costs.spread(batch, total)
        ages: Integers = np.maximum(own, self.costs.least(0, batch))
        return ages

    def gaps(self) -> Gaps:
        """Return the times between tokens of all requests."""
        shared = np.array(self._gaps, np.int64).reshape(-1, 2)
        return Gaps.joined(
            [Gaps.of(shared[:, 0], shared[:, 1]), *(e.noted_gaps for e in self.engines)]
        )
