"""Continuous batching, exact and fast: between events a batch only ages.

While the batch stays as it is, all its sequences advance together. So a sequence is a number in a
heap (the turn at which it finishes), the cost of a stride is a difference of prefix sums over the
mean context, and the blocks that a stride needs are a sum over a histogram: (context − turn) mod
block does not change while a sequence decodes. Nothing is touched step by step. Results are those
of a plain loop over steps and sequences, to the last digit.
"""

import heapq
from bisect import bisect_left

import numpy as np
from attrs import Factory, define, field

from specc.simulation.engine.base import (
    BATCH,
    CONTEXT,
    DURATION,
    NEVER,
    STEPS,
    TOKENS,
    SimulatedEngine,
)
from specc.simulation.engine.lives import Chunk, work_of
from specc.simulation.policies.schedulers import StepPlan
from specc.simulation.requests import Gaps, Integers


@define
class Continuous(SimulatedEngine):
    """Continuous batching in which every step decodes all that is ready, or nothing.

    Its scheduler must not remember the last step: while the batch ages, the plan stays.

    A turn is a decode step. A sequence that began to decode at turn b, after `known` tokens, has
    the context known + 1 + (turn − b) in the step of a turn.
    """

    turn: int = 0
    _finishing: list[int] = Factory(list)  # turn · number of requests + request
    _ends: dict[int, int] = Factory(dict)  # turn of each sequence that decodes
    _began: dict[int, int] = Factory(dict)
    _offset: int = 0  # Σ over sequences that decode of known + 1 − began
    _residues: list[int] = field(init=False)
    _plans: dict[int, StepPlan] = Factory(dict)  # by the sequences that are ready
    # When all sequences that decode had their last token, but for the fresh ones.
    _token_at: int = 0
    _fresh: dict[int, int] = Factory(dict)

    def __attrs_post_init__(self) -> None:
        """Start empty."""
        super().__attrs_post_init__()
        self._residues = [0] * self.settings.block

    def _step(self, until: int) -> None:
        """Run the next step, and those after it in which the batch only ages."""
        once, needed = False, self._residues[self.turn % self.settings.block]
        if self._partial >= 0 or (self.waiting and len(self.running) < self.settings.limit):
            decodes, prompts = self._plans.get(self.ready) or self._planned()
            room = self._free - needed if decodes else self._free
            if prompts > 0 and room >= 0:
                self._unsettled = False
                begun = self._partial >= 0
                taken = self._take_in(prompts, room) if begun else self._admit(prompts, room)
                if taken:
                    self._mixed(taken, self.ready if decodes else 0)
                    return
                once = self._unsettled
        if needed > self._free:
            self._make_room()
            once = True
        self._age(until, once)

    def _planned(self) -> StepPlan:
        """Ask the scheduler, and remember: it sees nothing that changes but what is ready."""
        self._plans[self.ready] = plan = self._plan(self.ready)
        return plan

    def _mixed(self, prompts: list[Chunk], decoding: int) -> None:
        """Run a step that prefills, and decodes all sequences that are ready or none."""
        tokens, keys = work_of(prompts)
        context = 0
        if decoding:
            self._free -= self._residues[self.turn % self.settings.block]
            context = self._offset // decoding + self.turn
        if self.cache is not None:
            self.cache.trim(self._free)
        duration = self.costs.mixed(tokens, keys, decoding, context)
        self._record(1, decoding, context, tokens, duration)
        if decoding:
            if self._fresh or self.now != self._token_at:
                self._late(duration)
            self.turn += 1
        end = self.now = self.now + duration
        if decoding:
            self._token_at = end
            self._finish()
        self._prompts_done(prompts)

    def _age(self, until: int, once: bool) -> None:
        """Run decode steps until something else can happen, or one step."""
        batch, turn, heap = self.ready, self.turn, self._finishing
        count, ends = len(self.lives.arrival), self._ends
        while ends.get(heap[0] % count) != heap[0] // count:
            heapq.heappop(heap)
        steps = 1 if once else heap[0] // count - turn
        context = self._offset // batch + turn
        sums = self.costs.decode(batch)
        if steps > 1:
            if self._pending and not self.waiting and len(self.running) < self.settings.limit:
                until = min(until, self.lives.arrival[self._pending[0]])
            if until < NEVER:
                last = sums[context] + until - self.now
                steps = max(1, bisect_left(sums, last, context, context + steps) - context)
        needed = self._demand(steps)
        if needed > self._free:
            steps = self._affordable(steps)
            needed = self._demand(steps)
        if self.waiting and self.cache is not None and self.cache.evicts(self._free - needed):
            # Without its prefix a prompt may fit, as it comes in smaller chunks.
            steps, needed = 1, self._demand(1)
        self._free -= needed
        if self.cache is not None:
            self.cache.trim(self._free)
        duration = sums[context + steps] - sums[context]
        self._record(steps, batch, context, 0, duration)
        if self._fresh or self.now != self._token_at:
            self._late(sums[context + 1] - sums[context])
        self._token_at = self.now = self.now + duration
        self.turn = turn + steps
        self._finish()

    def _demand(self, steps: int) -> int:
        """Return the blocks that sequences need in the next decode steps."""
        residues, block = self._residues, self.settings.block
        first = self.turn % block
        if steps == 1:
            return residues[first]
        rounds, rest = divmod(steps, block)
        needed = rounds * self.ready + sum(residues[first : first + rest])
        if first + rest > block:
            needed += sum(residues[: first + rest - block])
        return needed

    def _affordable(self, steps: int) -> int:
        """Return how many of the steps there are blocks for; there are for the first."""
        low, high = 1, steps
        while high - low > 1:
            middle = (low + high) // 2
            if self._demand(middle) <= self._free:
                low = middle
            else:
                high = middle
        return low

    def _make_room(self) -> None:
        """Preempt the latest admitted until those that stay can decode."""
        turn, residues = self.turn % self.settings.block, self._residues
        while residues[turn] > self._free:
            self._preempt(next(reversed(self.running)))

    def _join(self, request: int, since: int) -> None:
        if since != self._token_at:
            self._fresh[request] = since
        lives, turn = self.lives, self.turn
        end = turn + lives.output[request] - lives.generated[request]
        self._ends[request] = end
        self._began[request] = turn
        heapq.heappush(self._finishing, end * len(lives.arrival) + request)
        self._offset += lives.known[request] + 1 - turn
        self._residues[(turn - lives.known[request]) % self.settings.block] += 1
        self.ready += 1

    def _leave(self, request: int) -> None:
        lives = self.lives
        left = self._ends[request] - self.turn
        held = lives.known[request] + self.turn - self._began[request]
        lives.generated[request] = lives.output[request] - left
        lives.last[request] = self._fresh.pop(request, self._token_at)
        self._end_decode(request)
        self._release(request, held)

    def _end_decode(self, request: int) -> None:
        known, began = self.lives.known[request], self._began.pop(request)
        del self._ends[request]
        self._offset -= known + 1 - began
        self._residues[(began - known) % self.settings.block] -= 1
        self.ready -= 1

    def _finish(self) -> None:
        """End the sequences that have all their tokens."""
        heap, count, lives = self._finishing, len(self.lives.arrival), self.lives
        while heap and heap[0] // count <= self.turn:
            turn, request = divmod(heapq.heappop(heap), count)
            if self._ends.get(request) == turn:
                self._end_decode(request)
                self._finished(request, lives.input[request] + lives.output[request] - 1)

    def _late(self, duration: int) -> None:
        """Count the gaps before the tokens of a decode step that are longer than the step."""
        end = self.now + duration
        old = self.ready - len(self._fresh)
        if self.now != self._token_at and old:
            self._gaps.extend((duration, -old, end - self._token_at, old))
        for since in self._fresh.values():
            if since != self.now:
                self._gaps.extend((duration, -1, end - since, 1))
        self._fresh.clear()

    def gaps(self) -> Gaps:
        """Return the times between tokens of all requests."""
        extra, runs = SimulatedEngine.gaps(self), self.runs
        durations, counts = [extra.durations], [extra.counts]
        mixed = runs[(runs[:, TOKENS] > 0) & (runs[:, BATCH] > 0)]
        durations.append(mixed[:, DURATION])
        counts.append(mixed[:, BATCH])
        aging = runs[runs[:, TOKENS] == 0]
        for batch in np.unique(aging[:, BATCH]).tolist():
            rows = aging[aging[:, BATCH] == batch]
            first, last = rows[:, CONTEXT], rows[:, CONTEXT] + rows[:, STEPS]
            low, high = int(first.min()), int(last.max())
            sums: Integers = np.array(self.costs.decode(batch)[low : high + 1], np.int64)
            often = np.zeros(high - low + 1, np.int64)
            np.add.at(often, first - low, batch)
            np.add.at(often, last - low, -batch)
            often = np.cumsum(often)[:-1]
            durations.append(np.diff(sums)[often > 0])
            counts.append(often[often > 0])
        return Gaps.of(np.concatenate(durations), np.concatenate(counts))
