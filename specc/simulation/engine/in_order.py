"""Engines that go through what runs in the order of admission, several prompts begun at a time."""

from attrs import define

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

    def compose(self) -> EngineStep | None:
        """Compose a step."""
        self._preempted = self._unsettled = False
        alone = len(self.running) + len(self.waiting) <= 1
        most = UNLIMITED if alone else self.settings.long_prompt
        chunks, decoding, left = self._go_on(most)
        if not self._preempted:
            chunks += self._admit(left, self._free, most)
            decoding += self._moved(decoding)
        self._settle()
        if not chunks and not decoding:
            self.wait(self.now)
            return None
        return self._composed(chunks, decoding)

    def _go_on(self, most: Tokens) -> tuple[list[Chunk], list[int], Tokens]:
        """Return the chunks of what runs, what decodes, and the tokens that are left."""
        chunks: list[Chunk] = []
        decoding: list[int] = []
        left = self.settings.budget
        for request in list(self.running):
            if left <= 0 or request not in self.running:
                break
            if request in self._leaving:
                continue
            if request not in self._begun:
                if left < self._new or not self._make_room(request, self._extra(request)):
                    break
                self._grow(request)
                self._show([request])
                decoding.append(request)
                left -= self._new
                continue
            done = self._begun[request]
            query = min(self.lives.known[request] - done, most, left)
            if not self._make_room(request, self._growth(done, query)):
                break
            self._prefill(request, done, query, self._free - self._growth(done, query))
            chunks.append((request, done, query))
            left -= query
        return chunks, decoding, left

    def _moved(self, decoding: list[int]) -> list[int]:
        """Return what was admitted with its first token, and decodes in this very step."""
        moved = [r for r in reversed(self._held) if r not in decoding] if self._unsettled else []
        new = [r for r in moved if self._held[r] == self.lives.known[r]]
        for request in new:
            self._grow(request)
        return new[::-1]

    def _make_room(self, request: int, need: int) -> bool:
        """Preempt the latest admitted until a request has room; False if it is that itself."""
        while need > self._free:
            latest = next(reversed(self.running))
            self._preempt(latest)
            if latest == request:
                return False
        return True
