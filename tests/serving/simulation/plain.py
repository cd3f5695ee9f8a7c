"""A plain engine: one step at a time, one sequence at a time. It is slow, and easy to believe."""

from collections import Counter

from attrs import Factory, define

from specc.ir import Scheduler
from specc.serving.simulation.costs import StepCosts
from specc.serving.simulation.engine import EngineSettings
from specc.serving.simulation.requests import REJECTED, Requests


@define(eq=False)
class Sequence:
    """A request: `held` tokens are in the cache, `target` must be before its next token."""

    number: int
    arrival: int
    prompt: int
    cached: int
    answer: int
    target: int
    held: int = 0
    generated: int = 0
    start: int = REJECTED
    first: int = REJECTED
    last: int = REJECTED
    finish: int = REJECTED
    preemptions: int = 0

    @property
    def decodes(self) -> bool:
        return self.generated > 0 and self.held >= self.target


@define
class PlainEngine:
    """As `Engine`, without its shortcuts and without shared blocks."""

    settings: EngineSettings
    costs: StepCosts
    sequences: list[Sequence]
    now: int = 0
    steps: int = 0
    waiting: list[Sequence] = Factory(list)
    running: list[Sequence] = Factory(list)
    turns: list[Sequence] = Factory(list)
    decode_next: bool = False
    gaps: "Counter[int]" = Factory(Counter)
    most_used: int = 0

    @classmethod
    def of(cls, settings: EngineSettings, costs: StepCosts, requests: Requests) -> "PlainEngine":
        rows = zip(
            requests.arrival.tolist(),
            requests.input.tolist(),
            requests.cached.tolist(),
            requests.output.tolist(),
            strict=True,
        )
        sequences = [Sequence(i, a, p, c, o, p) for i, (a, p, c, o) in enumerate(rows)]
        if requests.first_token is not None:
            for sequence, first in zip(sequences, requests.first_token.tolist(), strict=True):
                sequence.first = sequence.last = first
                sequence.generated = 1
        return cls(settings, costs, sequences)

    def blocks(self, tokens: int) -> int:
        return -(-tokens // self.settings.block)

    @property
    def free(self) -> int:
        return self.settings.capacity - sum(self.blocks(s.held) for s in self.running)

    def run(self) -> "PlainEngine":
        coming = [s for s in self.sequences if self.settings.takes(s.prompt, s.answer)]
        while coming or self.waiting or self.running:
            if not self.waiting and not self.running:
                self.now = max(self.now, coming[0].arrival)
            while coming and coming[0].arrival <= self.now:
                self.waiting.append(coming.pop(0))
            self.step()
        return self

    def preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        if sequence in self.turns:
            self.turns.remove(sequence)
        sequence.held = 0
        sequence.target = sequence.prompt + sequence.generated
        sequence.preemptions += 1
        self.waiting.insert(0, sequence)

    def make_room(self) -> tuple[list[Sequence], bool]:
        """Give each sequence that decodes its block, in the order of admission."""
        evicted = False
        while True:
            decoding = self.turns[: self.settings.decode_batch]
            grown = sum(self.blocks(s.held + 1) - self.blocks(s.held) for s in decoding)
            if grown <= self.free:
                return decoding, evicted
            self.preempt(self.running[-1])
            evicted = True

    def take_in(self, left: int, reserved: int) -> tuple[list[tuple[Sequence, int]], bool]:
        prompts: list[tuple[Sequence, int]] = []
        whole = self.settings.scheduler is Scheduler.DECODE_FIRST_WITH_SLACK
        admitted = 0
        room = self.free - reserved
        for sequence in [s for s in self.running if not s.decodes]:
            rest = sequence.target - sequence.held
            query = min(rest, self.settings.budget if whole else left)
            if query > left or query <= 0:
                return prompts, False
            need = self.blocks(sequence.held + query) - self.blocks(sequence.held)
            if need > room:
                self.preempt(sequence)
                return prompts, True
            room, left = room - need, left - query
            prompts.append((sequence, query))
            if query < rest:
                return prompts, False
        while self.waiting and left > 0 and admitted < self.settings.admission:
            sequence = self.waiting[0]
            if len(self.running) >= self.settings.limit:
                break
            rest = sequence.target - sequence.cached
            moved = sequence.first != REJECTED and not sequence.preemptions
            moved = moved and sequence.start == REJECTED
            if moved:
                query, need = 1, self.blocks(sequence.prompt + 1)
            else:
                query = min(rest, self.settings.budget if whole else left)
                need = self.blocks(sequence.cached + query)
            if query > left or need > room:
                break
            self.waiting.pop(0)
            self.running.append(sequence)
            if sequence.start == REJECTED:
                sequence.start = self.now
            admitted, room, left = admitted + 1, room - need, left - query
            if moved:
                sequence.held = sequence.target
                self.turns.append(sequence)
                continue
            sequence.held = sequence.cached
            prompts.append((sequence, query))
            if query < rest:
                break
        return prompts, False

    def step(self) -> None:
        settings = self.settings
        prompts: list[tuple[Sequence, int]] = []
        if settings.scheduler is Scheduler.PREFILL_FIRST:
            prompts, _ = self.take_in(settings.budget, 0)
            decoding = [] if prompts else self.make_room()[0]
        elif settings.scheduler is Scheduler.PREFILL_THEN_DECODE:
            if not (self.decode_next and self.turns):
                prompts, _ = self.take_in(settings.budget, 0)
            self.decode_next = bool(prompts)
            decoding = [] if prompts else self.make_room()[0]
        else:
            decoding, evicted = self.make_room()
            if not evicted:
                limit = int(settings.budget * (1 + settings.slack) + 1e-9)
                grown = sum(self.blocks(s.held + 1) - self.blocks(s.held) for s in decoding)
                prompts, _ = self.take_in(limit - len(decoding), grown)
                if settings.decode_batch >= settings.limit or not (prompts or decoding):
                    decoding = self.turns[: settings.decode_batch]
        batch = len(decoding)
        context = sum(s.held + 1 for s in decoding) // batch if batch else 0
        if prompts:
            tokens = sum(query for _, query in prompts)
            keys = sum(sum(range(s.held + 1, s.held + q + 1)) for s, q in prompts)
            duration = self.costs.mixed(tokens, keys, batch, context)
        else:
            sums = self.costs.decode(batch)
            duration = sums[context + 1] - sums[context]
        self.now += duration
        self.steps += 1
        self.turns = self.turns[len(decoding) :]
        for sequence in decoding:
            sequence.held += 1
            self.token(sequence)
        for sequence, query in prompts:
            sequence.held += query
            if sequence.held == sequence.target:
                self.token(sequence)
        used = sum(self.blocks(s.held) for s in self.running)
        self.most_used = max(self.most_used, used)
        self.running = [s for s in self.running if s.finish == REJECTED]

    def token(self, sequence: Sequence) -> None:
        sequence.generated += 1
        if sequence.first == REJECTED:
            sequence.first = self.now
        else:
            self.gaps[self.now - sequence.last] += 1
        sequence.last = self.now
        if sequence.generated == sequence.answer:
            sequence.finish = self.now
        else:
            self.turns.append(sequence)
