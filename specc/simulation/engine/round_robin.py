"""Engines in which the sequences that are ready take turns to decode, step by step."""

from collections import deque

from attrs import Factory, define

from specc.simulation.engine.base import SimulatedEngine
from specc.simulation.engine.lives import Chunk, work_of
from specc.simulation.policies.schedulers import StepPlan
from specc.units import Tokens


@define
class RoundRobin(SimulatedEngine):
    """At most `decode_batch` sequences decode in a step, from the head of a queue of their own.

    Those that have tokens left go to its tail. Step by step, so that a scheduler may remember.
    """

    _turns: "deque[int]" = Factory(deque)
    _held: dict[int, Tokens] = Factory(dict)  # tokens in the cache of each that decodes

    def _step(self, until: int) -> None:
        """Run one step."""
        settings, plan = self.settings, StepPlan(decodes=True, prompts=0)
        if self._partial >= 0 or (self.waiting and len(self.running) < settings.limit):
            plan = self._plan(min(len(self._turns), settings.decode_batch))
        before, chunks = len(self.waiting), []
        decoding = self._next_decoding() if plan.decodes else []
        if plan.prompts > 0 and len(self.waiting) == before:  # nothing was preempted
            needed = sum(self._grows(request) for request in decoding)
            chunks = self._take_in(plan.prompts, self._free - needed)
        if not chunks and not decoding:
            decoding = self._next_decoding()
        self._prefilled = bool(chunks)
        self._run(chunks, decoding)

    def _run(self, chunks: list[Chunk], decoding: list[int]) -> None:
        """Run a step of chunks of prompts, and of sequences that decode."""
        tokens, keys = work_of(chunks)
        context = 0
        if decoding:
            context = sum(self._held[r] + 1 for r in decoding) // len(decoding)
            self._free -= sum(self._grows(request) for request in decoding)
        if self.cache is not None:
            self.cache.trim(self._free)
        if chunks:
            duration = self.costs.mixed(tokens, keys, len(decoding), context)
        else:
            sums = self.costs.decode(len(decoding))
            duration = sums[context + 1] - sums[context]
        self._record(1, len(decoding), context, tokens, duration)
        self.now += duration
        for request in decoding:
            self._decoded(request)
        self._prompts_done(chunks)

    def _next_decoding(self) -> list[int]:
        """Return whose turn it is, after preempting the latest admitted if blocks run out."""
        while True:
            decoding = list(self._turns)[: self.settings.decode_batch]
            if sum(self._grows(request) for request in decoding) <= self._free:
                return decoding
            self._preempt(next(reversed(self.running)))

    def _grows(self, request: int) -> bool:
        """Say whether the next token of a sequence needs a block of its own."""
        return self._held[request] % self.settings.block == 0

    def _decoded(self, request: int) -> None:
        lives = self.lives
        self._turns.popleft()
        self._held[request] += 1
        lives.generated[request] += 1
        self._gaps.extend((self.now - lives.last[request], 1))
        lives.last[request] = self.now
        if lives.generated[request] < lives.output[request]:
            self._turns.append(request)
            return
        self.ready -= 1
        self._finished(request, self._held.pop(request))

    def _join(self, request: int, since: int) -> None:
        self.lives.last[request] = since
        self._held[request] = self.lives.known[request]
        self._turns.append(request)
        self.ready += 1

    def _leave(self, request: int) -> None:
        self._turns.remove(request)
        self.ready -= 1
        self._release(request, self._held.pop(request))
