"""What engines share that go step by step: which sequences decode, and what each holds."""

from attrs import Factory, define

from specc.simulation.engine.base import EngineStep, SimulatedEngine
from specc.simulation.engine.lives import Chunk, work_of
from specc.units import Tokens


@define
class Stepwise(SimulatedEngine):
    """An engine that keeps the books of every sequence in every step."""

    _held: dict[int, Tokens] = Factory(dict)  # tokens in the cache of each that decodes
    _given: dict[int, Tokens] = Factory(dict)  # for how many each has blocks
    _computed: dict[int, Tokens] = Factory(dict)  # of which others can find the blocks
    _steps: dict[int, int] = Factory(dict)  # that each has decoded, where tokens are drafted
    _decoding: list[int] = Factory(list)  # what the step decodes that is composed
    _known_next: list[int] = Factory(list)  # what the last step decoded

    def _composed(self, chunks: list[Chunk], decoding: list[int]) -> EngineStep:
        """Return a step of chunks of prompts, and of sequences that decode."""
        tokens, keys = work_of(chunks)
        self._decoding = decoding
        total = sum(self._held[request] + 1 for request in decoding)
        context = total // len(decoding) if decoding else 0
        return EngineStep(chunks, tokens, keys, len(decoding), context)

    def complete(self, step: EngineStep, steps: int, took: int, ends: tuple[int, int]) -> None:
        """Run one step."""
        self._record(step, 1, took)
        self._pass(took, took)
        if self._ahead and self.cache is not None:
            # The tokens of the step before are known now, to the step that is composed next.
            for request in self._known_next:
                if request in self._held:
                    self._publish(request, self._held[request])
            self._known_next = self._decoding
        for request in self._decoding:
            self._decoded(request)
        self._prompts_done(step.prompts)

    def _show(self, decoding: list[int]) -> None:
        """Let others find the blocks that the next tokens of some sequences fill."""
        if self.cache is None:
            return
        self.cache.trim(self._free)
        for request in decoding:
            # The next token is known, but not to a step that is composed ahead.
            self._publish(request, self._held[request] + (not self._ahead))

    def _extra(self, request: int) -> int:
        """Return the blocks that a sequence needs for its next step."""
        given, block = self._given[request], self.settings.block
        return -(-self.settings.reach(self._held[request]) // block) - -(-given // block)

    def _grow(self, request: int) -> None:
        """Give a sequence the blocks for its next step."""
        self._free -= self._extra(request)
        self._given[request] = self.settings.reach(self._held[request])

    def _decoded(self, request: int) -> None:
        """Count a token, or those of a step with drafts; what has all of them leaves."""
        lives = self.lives
        tokens = 1 if self.drafts is None else self._accepted(request)
        self._computed[request] = self._held[request] + 1
        self._held[request] += tokens
        lives.generated[request] += tokens
        self._gaps.extend((self.now - lives.last[request], 1))
        lives.last[request] = self.now
        if lives.generated[request] < lives.output[request]:
            return
        self.ready -= 1
        del self._held[request]
        self._finished(request, self._given.pop(request), self._computed.pop(request))

    def _accepted(self, request: int) -> Tokens:
        """Return the tokens of the next step of a sequence, of those that it still needs."""
        assert self.drafts is not None
        steps = self._steps.get(request, 0)
        self._steps[request] = steps + 1
        left = self.lives.output[request] - self.lives.generated[request]
        return min(self.drafts.gained(self.drafts.first(request) + steps, 1), left)

    def _join(self, request: int, since: int) -> None:
        self.lives.last[request] = since
        known = self.lives.known[request]
        self._held[request] = self._given[request] = self._computed[request] = known
        self.ready += 1

    def _take_over(self, request: int) -> None:
        super()._take_over(request)
        self._grow(request)

    def _leave(self, request: int) -> None:
        self.ready -= 1
        held = self._held.pop(request)
        # The token of the step before is not known yet where this one is composed ahead.
        unknown = self._ahead and request in self._decoding
        unknown = unknown and held > self.lives.known[request] + self.lives.transferred[request]
        computed = self._computed.pop(request) - unknown
        self._release(request, self._given.pop(request), computed, keep=True)
