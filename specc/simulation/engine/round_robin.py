"""Engines in which the sequences that are ready take turns to decode, step by step."""

from collections import deque

from attrs import Factory, define

from specc.simulation.engine.base import EngineStep
from specc.simulation.engine.lives import Chunk
from specc.simulation.engine.stepwise import Stepwise
from specc.simulation.policies.schedulers import StepPlan


@define
class RoundRobin(Stepwise):
    """At most `decode_batch` sequences decode in a step, from the head of a queue of their own.

    Those that have tokens left go to its tail. Step by step, so that a scheduler may remember.
    """

    _turns: "deque[int]" = Factory(deque)

    def compose(self) -> EngineStep:
        """Compose a step."""
        settings, plan = self.settings, StepPlan(decodes=True, prompts=0)
        self._preempted = False
        if self._overtakes:
            self._make_room_for_prompt(self._upcoming)
        if self._begun or (self.waiting and len(self.running) < settings.limit):
            plan = self._plan(min(len(self._turns), settings.decode_batch))
        chunks: list[Chunk] = []
        decoding = self._grown() if plan.decodes else []
        if plan.prompts > 0 and (self._begun or not self._preempted):
            chunks = self._take_in(plan.prompts, self._free)
        if not chunks and not decoding:
            decoding = self._grown()
        self._prefilled = bool(chunks)
        return self._composed(chunks, decoding)

    def _upcoming(self) -> tuple[StepPlan, int]:
        decoding, needed = self._turn()
        return self._plan(len(decoding)), needed

    def _turn(self) -> tuple[list[int], int]:
        """Return whose turn it is, and the blocks that they need."""
        decoding = list(self._turns)[: self.settings.decode_batch]
        return decoding, sum(self._extra(request) for request in decoding)

    def _grown(self) -> list[int]:
        """Return whose turn it is, each with its block, after preempting the latest admitted."""
        while True:
            decoding, needed = self._turn()
            if needed <= self._free:
                break
            self._preempt(self._victim())
        for request in decoding:
            self._grow(request)
        self._show(decoding)
        return decoding

    def _decoded(self, request: int) -> None:
        self._turns.popleft()
        super()._decoded(request)
        if request in self._held:
            self._turns.append(request)

    def _join(self, request: int, since: int) -> None:
        super()._join(request, since)
        self._turns.append(request)

    def _leave(self, request: int) -> None:
        self._turns.remove(request)
        super()._leave(request)
