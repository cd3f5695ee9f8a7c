"""Continuous batching, exact and fast: between events a batch only ages.

While the batch stays as it is, all its sequences advance together. So a sequence is a number in a
heap (the turn at which it finishes), the cost of a stride is a difference of prefix sums over the
mean context, and the blocks that a stride needs are a sum over a histogram: (context − turn) mod
block does not change while a sequence decodes. Nothing is touched step by step. Results are those
of a plain loop over steps and sequences, to the last digit.
"""

import heapq
from functools import partial

import numpy as np
from attrs import Factory, define, field

from specc.ir import Admission
from specc.simulation.costs import elapsed
from specc.simulation.engine.base import (
    BATCH,
    CONTEXT,
    DURATION,
    NEVER,
    STEPS,
    TOKENS,
    EngineStep,
    SimulatedEngine,
)
from specc.simulation.engine.lives import Chunk, work_of
from specc.simulation.engine.usual import PLACE_BITS, PLACES, run_usual_steps
from specc.simulation.policies.schedulers import StepPlan
from specc.simulation.requests import Gaps
from specc.units import Tokens

_made = partial(tuple.__new__, EngineStep)  # half the time of a call of the class


@define
class Continuous(SimulatedEngine):
    """Continuous batching in which every step decodes all that is ready, or nothing.

    Its scheduler must not remember the last step: while the batch ages, the plan stays.

    A turn is a decode step. A sequence that began to decode at turn b, after `known` tokens, has
    the context known + 1 + (turn − b) in the step of a turn.
    """

    turn: int = 0
    _finishing: list[int] = Factory(list)  # turn and place in the order of `_joined`
    _ends: dict[int, int] = Factory(dict)  # the entry there of each sequence that decodes
    _joined: list[int] = Factory(list)  # requests in the order in which they began to decode
    # Of sequences whose outputs others may find: when the next block is full, place, its number.
    _fills: list[tuple[int, int, int]] = Factory(list)
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

    @property
    def next_change(self) -> int:
        """A time before which it neither starts nor ends a request, and none waits."""
        step = self.only_ages()
        if step is None:
            return self.next_step
        sums = self.costs.decode(step.batch)
        # A step that has begun is seen as it ends.
        return self.now + sums[step.context + step.steps - 1] - sums[step.context]

    def only_ages(self) -> EngineStep | None:
        """Return the steps in which its batch only ages, if nothing else is to be done before."""
        busy = self.waiting or self._pending or self._begun or self._leaving
        return None if busy or not self.ready else self._aging(once=False)

    def advance(self, until: int = NEVER) -> None:
        """Run all steps that begin before `until`."""
        if self.lives.hashes is not None:
            SimulatedEngine.advance(self, until)
            return
        while not self.rests(until):
            run_usual_steps(self, until)
            if self.now < until and not self.is_idle:
                self.arrive()
                self._step(until)

    def compose(self) -> EngineStep | None:
        """Compose the next step; where the batch only ages, with those after it."""
        self._preempted = False
        once = self._overtakes and self._make_room_for_prompt(self._upcoming)
        needed, may_start = self._demand(1), not once and len(self.running) < self._limit
        if self._begun or (self.waiting and may_start):
            decodes, prompts = self._plans.get(self.ready) or self._planned()
            room = self._free - needed if decodes else self._free
            if prompts > 0 and room >= 0:
                self._unsettled = False
                if self.cache is not None:
                    self._uncover(room, decodes)
                begun = bool(self._begun)
                taken = self._take_in(prompts, room) if begun else self._admit(prompts, room)
                if taken:
                    if self._leaving:
                        self._settle()
                    return self._mixed(taken, self.ready if decodes else 0)
                once = self._unsettled
        if needed > self._free:
            self._make_room()
            once = True
        if self._leaving:
            if self.cache is not None:  # they were not gone when it was composed
                self.cache.trim(self._free - self._demand(1))
            self._settle()
            once = once or bool(self.waiting)
        if not self.ready:
            self.wait(self.now)
            return None
        return self._aging(once)

    def _planned(self) -> StepPlan:
        """Ask the scheduler, and remember: it sees nothing that changes but what is ready."""
        self._plans[self.ready] = plan = self._plan(self.ready)
        return plan

    def _upcoming(self) -> tuple[StepPlan, int]:
        return self._plans.get(self.ready) or self._planned(), self._demand(1)

    def _uncover(self, room: int, decodes: bool) -> None:
        """Before prompts look for blocks: what decodes takes its own, and shows what it filled."""
        assert self.cache is not None
        self.cache.trim(room)
        self._fill(self.turn + decodes)

    def _fill(self, turn: int) -> None:
        """Let others find the blocks that are full before a turn, in the order in which they are.

        A step that is composed ahead does not know the tokens of the step before it.
        """
        if not self._fills or self.cache is None:
            return
        shown = turn - 1 - self._ahead
        while self._fills and self._fills[0][0] <= shown:
            _, place, number = heapq.heappop(self._fills)
            request = self._joined[place]
            if self._ends.get(request, -1) & PLACES == place:
                self.cache.publish(request, self._hashes(request), number)
                self._await_fill(request, place, number + 1)

    def _await_fill(self, request: int, place: int, number: int) -> None:
        """Note when a sequence has so many full blocks, if others could find the last of them."""
        lives = self.lives
        assert lives.hashes is not None
        if number <= len(lives.hashes[request]):
            missing = number * lives.block_tokens - lives.known[request] - 1
            heapq.heappush(self._fills, (self._began[request] + missing, place, number))

    def _mixed(self, prompts: list[Chunk], decoding: int) -> EngineStep:
        """Return a step that prefills, and decodes all sequences that are ready or none."""
        tokens, keys = work_of(prompts)
        context = self._context(decoding) if decoding else 0
        return _made((prompts, tokens, keys, decoding, context, 1))

    def _context(self, batch: int) -> Tokens:
        """Return the mean context of the next step, rounded down, of all that decodes."""
        return self._offset // batch + self.turn

    def _aging(self, once: bool) -> EngineStep:
        """Return decode steps until something else can happen, or one step."""
        batch = self.ready
        steps = 1 if once else self._until_end()
        if steps > 1:
            most = (steps // len(self._residues) + 1) * batch
            if most > self._free and self._demand(steps) > self._free:
                steps = self._affordable(steps)
            if self.waiting and self.cache is not None:
                steps = self._until_found(steps)
        return _made(([], 0, 0, batch, self._context(batch), steps))

    def _until_end(self) -> int:
        """Return the steps until a sequence has all its tokens."""
        heap, ends = self._finishing, self._ends
        while ends.get(self._joined[heap[0] & PLACES]) != heap[0]:
            heapq.heappop(heap)
        return (heap[0] >> PLACE_BITS) - self.turn

    def _until_found(self, steps: int) -> int:
        """Return the steps after which a prompt that waits may fit, for what it finds changes."""
        if self._fills:
            known = self._fills[0][0] + self._ahead
            steps = min(steps, max(1, known - self.turn))
        assert self.cache is not None
        # What is evicted of its prefix may leave smaller chunks, or another copy that is in use.
        changes = self.settings.start is Admission.FIRST_CHUNK or self.cache.has_copies
        return 1 if changes and any(self._find(self.waiting[0])) else steps

    def complete(self, step: EngineStep, steps: int, took: int, ends: tuple[int, int]) -> None:
        """Run a step that prefills, or so many that decode."""
        batch, heap = step.batch, self._finishing
        if batch:
            self._free -= self._demand(steps)
            if self.cache is not None and self.cache.idle > self._free:
                self.cache.trim(self._free)
        self._record(step, steps, took)
        if not batch:
            self._pass(took, took)
            self._prompts_done(step.prompts)
            return
        if self._fresh or self.now != self._token_at:
            self._late(ends[0])
        self._age(steps)
        self._pass(took, ends[1])
        self._token_at = self.now
        if heap[0] < self.turn + 1 << PLACE_BITS:
            self._finish()
        if step.prompts:
            self._prompts_done(step.prompts)

    def _age(self, steps: int) -> None:
        """Let what decodes have the tokens of some steps."""
        self.turn += steps

    def _demand(self, steps: int) -> int:
        """Return the blocks that sequences need in the next decode steps."""
        residues = self._residues
        block = len(residues)
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

    def _settle(self) -> None:
        self._fill(self.turn + 1)
        SimulatedEngine._settle(self)

    def _make_room(self) -> None:
        """Preempt the latest admitted until those that stay can decode."""
        while self._demand(1) > self._free:
            self._preempt(self._victim())

    def _join(self, request: int, since: int) -> None:
        if since != self._token_at:
            self._fresh[request] = since
        lives, turn = self.lives, self.turn
        place = len(self._joined)
        end = turn + lives.output[request] - lives.generated[request] << PLACE_BITS | place
        self._joined.append(request)
        self._ends[request] = end
        self._began[request] = turn
        heapq.heappush(self._finishing, end)
        if lives.hashes is not None and self.cache is not None:
            self._await_fill(request, place, lives.known[request] // lives.block_tokens + 1)
        self._offset += lives.known[request] + 1 - turn
        self._residues[(turn - lives.known[request]) % self.settings.block] += 1
        self.ready += 1

    def _leave(self, request: int) -> None:
        lives = self.lives
        self._fill(self.turn)
        left = (self._ends[request] >> PLACE_BITS) - self.turn
        decoded = self.turn - self._began[request]
        held = lives.known[request] + decoded
        # The token of the step before is not known yet where this one is composed ahead.
        unknown = self._ahead and decoded > lives.transferred[request]
        lives.generated[request] = lives.output[request] - left
        lives.last[request] = self._fresh.pop(request, self._token_at)
        self._end_decode(request)
        self._release(request, held, held - unknown, keep=True)

    def _end_decode(self, request: int) -> None:
        known, began = self.lives.known[request], self._began.pop(request)
        del self._ends[request]
        self._offset -= known + 1 - began
        self._residues[(began - known) % self.settings.block] -= 1
        self.ready -= 1

    def _finish(self) -> None:
        """End the sequences that have all their tokens."""
        heap, after = self._finishing, self.turn + 1 << PLACE_BITS
        while heap and heap[0] < after:
            end = heapq.heappop(heap)
            request = self._joined[end & PLACES]
            if self._ends.get(request) == end:
                self._fill(self.turn)
                self._end(request)

    def _end(self, request: int) -> None:
        """Let a sequence go that has all its tokens."""
        self._end_decode(request)
        self._finished(request, self.lives.input[request] + self.lives.output[request] - 1)

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
        extra, runs = self.noted_gaps, self.runs
        durations, counts = [extra.durations], [extra.counts]
        mixed = runs[(runs[:, TOKENS] > 0) & (runs[:, BATCH] > 0)]
        durations.append(mixed[:, DURATION])
        counts.append(mixed[:, BATCH])
        aging = runs[runs[:, TOKENS] == 0]
        for batch in np.unique(aging[:, BATCH]).tolist():
            rows = aging[aging[:, BATCH] == batch]
            first, last = rows[:, CONTEXT], rows[:, CONTEXT] + rows[:, STEPS]
            low, high = int(first.min()), int(last.max())
            sums = elapsed(self.costs.decode(batch), low, high)
            often = np.zeros(high - low + 1, np.int64)
            np.add.at(often, first - low, batch)
            np.add.at(often, last - low, -batch)
            often = np.cumsum(often)[:-1]
            durations.append(np.diff(sums)[often > 0])
            counts.append(often[often > 0])
        return Gaps.of(np.concatenate(durations), np.concatenate(counts))
