"""What engines share that go step by step: which sequences decode, and what each holds."""

from attrs import Factory, define

from specc.simulation.engine.base import EngineStep, SimulatedEngine
from specc.simulation.engine.lives import Chunk, work_of
from specc.units import Tokens


@define
class Stepwise(SimulatedEngine):
    """An engine that keeps the books of every sequence in every step."""

    _held: dict[int, Tokens] = Factory(dict)  # tokens in the cache of each that decodes
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

    def _decoded(self, request: int) -> None:
        """Count a token; what has all of them leaves."""
        lives = self.lives
        self._held[request] += 1
        lives.generated[request] += 1
        self._gaps.extend((self.now - lives.last[request], 1))
        lives.last[request] = self.now
        if lives.generated[request] < lives.output[request]:
            return
        self.ready -= 1
        self._finished(request, self._held.pop(request))

    def _join(self, request: int, since: int) -> None:
        self.lives.last[request] = since
        self._held[request] = self.lives.known[request]
        self.ready += 1

    def _leave(self, request: int) -> None:
        self.ready -= 1
        held = self._held.pop(request)
        # The token of the step before is not known yet where this one is composed ahead.
        unknown = self._ahead and request in self._decoding
        unknown = unknown and held > self.lives.known[request] + self.lives.transferred[request]
        self._release(request, held, held - unknown, keep=True)
