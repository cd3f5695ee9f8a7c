"""Continuous batching with drafted tokens: sequences advance by what the model accepts.

What a request gains in each of its steps is drawn beforehand, and so is the turn at which it ends.
What is left to know of a batch are two sums for each turn ahead: the tokens that its sequences
gain, and the blocks that they need. A request that joins adds to both, one that is preempted takes
its part back, and a stride is a look at the next numbers. Results are those of a plain loop.
"""

import heapq
from array import array
from functools import partial
from itertools import accumulate

import numpy as np
from attrs import Factory, define, field

from specc.simulation.engine.base import NEVER, EngineStep, SimulatedEngine
from specc.simulation.engine.continuous import Continuous
from specc.simulation.engine.usual import PLACE_BITS
from specc.simulation.requests import Gaps, Integers
from specc.units import Tokens

AT_ONCE = 64  # steps of a stride at most: more are seldom left as they are
FEW = 8  # steps, for which arrays do not pay
_made = partial(tuple.__new__, EngineStep)  # half the time of a call of the class


@define(eq=False)
class Turns:
    """A whole number for each turn from now on, 0 for those of which nothing is known."""

    first: int = 0
    values: Integers = Factory(lambda: np.zeros(1024, np.int64))

    def add(self, turn: int, values: Integers) -> None:
        """Add to the turns from `turn` on, before which none will be asked for."""
        start = turn - self.first
        if start + len(values) > len(self.values):
            kept = self.values[start:]
            self.values = np.zeros(max(2 * len(values), 2 * len(kept), 1024), np.int64)
            self.values[: len(kept)] = kept
            self.first, start = turn, 0
        self.values[start : start + len(values)] += values

    def at(self, turn: int) -> int:
        """Return the number of a turn."""
        place = turn - self.first
        return self.values.item(place) if place < len(self.values) else 0

    def span(self, turn: int, count: int) -> Integers:
        """Return the numbers of turns that follow each other, all of which are known."""
        place = turn - self.first
        return self.values[place : place + count]


@define
class Drafting(Continuous):
    """Continuous batching in which a step yields what is accepted of drafted tokens, and one more.

    A step is composed when the one before has ended: what that accepts is known then.
    """

    _total: Tokens = 0  # in the cache, of all that decodes, before the step of the turn
    _gains: Turns = Factory(Turns)  # tokens of a turn, but for the last ones of requests
    _needs: Turns = Factory(Turns)  # blocks that a turn needs
    _places: dict[int, int] = Factory(
        dict
    )  # in the drafts, of the first step since a request joined
    _steps: dict[int, int] = Factory(dict)  # of requests that were preempted, before that
    # When the steps of strides that decode end, each from 0 on; the steps and batch of each.
    _times: "array[int]" = field(factory=lambda: array("q"))
    _strides: "array[int]" = field(factory=lambda: array("q"))

    def advance(self, until: int = NEVER) -> None:
        """Run all steps that begin before `until`."""
        SimulatedEngine.advance(self, until)

    @property
    def next_change(self) -> int:
        """A time before which it neither starts nor ends a request, and none waits."""
        step = self.only_ages()
        return self.next_step if step is None else self.now + self._ends_of(step)[-2]

    def _step(self, until: int) -> None:
        step = self.compose()
        if step is None:
            return
        if step.prompts:
            took = self.costs.mixed(step.tokens, step.keys, step.batch, step.context)
            ends, steps = [0, took], 1
        else:
            ends, steps = self._ends_of(step), step.steps
            if steps > 1:
                steps = self.within(until, steps, ends, 0)
        took, batch = ends[steps], step.batch
        if batch:
            self._times.extend(ends if len(ends) == steps + 1 else ends[: steps + 1])
            self._strides.extend((steps, batch))
        self.complete(step, steps, took, (ends[1], took - ends[steps - 1]))

    def _ends_of(self, step: EngineStep) -> list[int]:
        """Return when each of the steps ends in which the batch ages, from 0."""
        sums = self.costs.decode(step.batch)
        if step.steps == 1:
            return [0, sums[step.context + 1] - sums[step.context]]
        return [0, *accumulate([sums[c + 1] - sums[c] for c in self.contexts(step.steps)])]

    def contexts(self, steps: int) -> list[Tokens]:
        """Return the mean contexts of the next steps, rounded down, in which the batch ages."""
        batch, turn, total = self.ready, self.turn, self._total
        if steps > FEW:
            gained = self._gains.span(turn, steps - 1).cumsum() + total
            return [total // batch + 1, *(gained // batch + 1).tolist()]
        found = []
        for step in range(steps):
            found.append(total // batch + 1)
            total += self._gains.at(turn + step)
        return found

    def _context(self, batch: int) -> Tokens:
        return self._total // batch + 1

    def _aging(self, once: bool) -> EngineStep:
        """Return decode steps until something else can happen, or one step."""
        batch = self.ready
        steps = 1 if once or self.lives.hashes is not None else min(self._until_end(), AT_ONCE)
        if steps > 1:
            most = steps * self._new + self.settings.reserve
            most = (most // self.settings.block + 2) * batch
            if most > self._free:
                needed = self._needs.span(self.turn, steps).cumsum()
                steps = max(1, int(needed.searchsorted(self._free, side="right")))
            if self.waiting and self.cache is not None:
                steps = self._until_found(steps)
        return _made(([], 0, 0, batch, self._context(batch), steps))

    def _demand(self, steps: int) -> int:
        if steps == 1:
            return self._needs.at(self.turn)
        return int(self._needs.span(self.turn, steps).sum())

    def _age(self, steps: int) -> None:
        turn = self.turn
        if self.lives.hashes is not None:
            self._fill(turn + 1)
        self._total += (
            self._gains.at(turn) if steps == 1 else int(self._gains.span(turn, steps).sum())
        )
        self.turn = turn + steps

    def _join(self, request: int, since: int) -> None:
        if since != self._token_at:
            self._fresh[request] = since
        lives, turn, place = self.lives, self.turn, len(self._joined)
        assert self.drafts is not None
        at = self.drafts.first(request) + self._steps.get(request, 0)
        steps = self.drafts.steps(at, lives.output[request] - lives.generated[request])
        end = turn + steps << PLACE_BITS | place
        self._joined.append(request)
        self._ends[request], self._began[request], self._places[request] = end, turn, at
        heapq.heappush(self._finishing, end)
        gains, needs = self._ahead_of(request, steps)
        self._gains.add(turn, gains)
        self._needs.add(turn, needs)
        self._total += lives.known[request]
        self.ready += 1

    def _ahead_of(self, request: int, steps: int) -> tuple[Integers, Integers]:
        """Return what a request gains and needs in each step since it joined, but for its last."""
        assert self.drafts is not None
        at, known, block = self._places[request], self.lives.known[request], self.settings.block
        sums = self.drafts.sums[at : at + steps]
        reach = sums + (known + self.settings.reserve - int(sums[0]))
        if reach[-1] > self.settings.longest:
            np.minimum(reach, self.settings.longest, out=reach)
        blocks = (reach + (block - 1)) // block
        needs = blocks.copy()
        needs[1:] -= blocks[:-1]
        needs[0] += -known // block
        return self.drafts.each[at : at + steps - 1], needs

    def _held(self, request: int, steps: int) -> Tokens:
        """Return the tokens in the cache after some steps since a request joined."""
        assert self.drafts is not None
        return self.lives.known[request] + self.drafts.gained(self._places[request], steps)

    def _leave(self, request: int) -> None:
        lives = self.lives
        steps = self.turn - self._began[request]
        left = (self._ends[request] >> PLACE_BITS) - self.turn
        held = self._held(request, steps)
        given = computed = held
        if steps:  # what the last step accepted nobody finds before the next one
            before = self._held(request, steps - 1)
            given, computed = self.settings.reach(before), before + 1
        gains, needs = self._ahead_of(request, steps + left)
        self._gains.add(self.turn, -gains[steps:])
        self._needs.add(self.turn, -needs[steps:])
        lives.generated[request] += held - lives.known[request]
        lives.last[request] = self._fresh.pop(request, self._token_at)
        self._steps[request] = self._steps.get(request, 0) + steps
        self._end_decode(request)
        self._total -= held
        self._release(request, given, computed, keep=True)

    def _end_decode(self, request: int) -> None:
        del self._ends[request], self._began[request]
        self.ready -= 1

    def _end(self, request: int) -> None:
        held = self._held(request, self.turn - self._began[request] - 1)
        self._total -= held
        self._end_decode(request)
        self._finished(request, self.settings.reach(held), held + 1)

    def _fill(self, turn: int) -> None:
        """Let others find the blocks that are full with the first new token of a step."""
        if self.lives.hashes is None or turn == self.turn:
            return
        for request, began in self._began.items():
            self._publish(request, self._held(request, self.turn - began) + 1)

    def gaps(self) -> Gaps:
        """Return the times between the steps in which a request has tokens, of all requests."""
        strides = np.array(self._strides, np.int64).reshape(-1, 2)
        steps, batch = strides[:, 0], strides[:, 1]
        times = np.array(self._times, np.int64)
        after = np.ones(len(times), bool)
        after[np.cumsum(steps + 1) - steps - 1] = False  # where a stride begins
        durations = times[after] - times[np.flatnonzero(after) - 1]
        return Gaps.joined([self.noted_gaps, Gaps.of(durations, np.repeat(batch, steps))])
