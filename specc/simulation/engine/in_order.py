"""Engines that go through what runs in the order of admission, several prompts begun at a time."""

from attrs import Factory, define

from specc.simulation.engine.base import EngineStep
from specc.simulation.engine.lives import Chunk
from specc.simulation.engine.stepwise import Stepwise
from specc.simulation.policies.schedulers.base import UNLIMITED
from specc.units import Tokens


@define
class InOrder(Stepwise):
    """As vLLM V1 with a limit on the tokens of a long prompt, `long_prefill_token_threshold`.

    Prompts and sequences that decode take their tokens from the budget in the order of admission;
    where it does not reach, the last ones do nothing in a step. A request that is alone is not
    limited.
    """

    _moved: list[int] = Factory(list)  # what begins to decode in the step, its prompt elsewhere

    def compose(self) -> EngineStep | None:
        """Compose a step."""
        self._preempted = self._unsettled = False
        self._moved = []
        alone = len(self.running) + len(self.waiting) <= 1
        most = UNLIMITED if alone else self.settings.long_prompt
        chunks, decoding, left = self._go_on(most)
        if not self._preempted:
            chunks += self._admit(left, self._free, most)
            decoding += self._moved
        self._settle()
        if not chunks and not decoding:
            self.wait(self.now)
            return None
        return self._composed(chunks, decoding)

    def _go_on(self, most: Tokens) -> tuple[list[Chunk], list[int], Tokens]:
        """Return the chunks of what runs, what decodes, and the tokens that are left."""
        chunks: dict[int, Chunk] = {}
        decoding: dict[int, None] = {}
        left = self.settings.budget
        for request in list(self.running):
            if left <= 0:
                break
            if request in self._leaving or request not in self.running:
                continue
            begun = request in self._begun
            if not begun and left < self._new:
                break
            done = self._begun.get(request, 0)
            query = min(self.lives.known[request] - done, most, left) if begun else self._new
            need = self._growth(done, query) if begun else self._extra(request)
            while need > self._free and request in self.running:
                victim = self._victim()
                left += self._taken_back(victim, chunks, decoding)
                self._preempt(victim)
            if request not in self.running:
                continue
            if begun:
                self._prefill(request, done, query, self._free - need)
                chunks[request] = request, done, query
            else:
                self._grow(request)
                self._show([request])
                decoding[request] = None
            left -= query
        return [*chunks.values()], [*decoding], left

    def _taken_back(
        self, victim: int, chunks: dict[int, Chunk], decoding: dict[int, None]
    ) -> Tokens:
        """Take a request out of the step that it was taken into; return its tokens there."""
        if victim in decoding:
            del decoding[victim]
            # What was shown of it stays so.
            self._computed[victim] = self._held[victim] + (not self._ahead)
            self._decoding = [request for request in self._decoding if request != victim]
            return self._new
        if victim not in chunks:
            return 0
        _, done, query = chunks.pop(victim)
        self._begun[victim] = done + query  # if that was its last chunk
        return query

    def _take_over(self, request: int) -> None:
        super()._take_over(request)
        self._moved.append(request)
