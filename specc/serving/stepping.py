"""The steps of a batch, without times: groups of like requests pass through a scheduler.

Between two steps that differ nothing is touched one by one.
"""

import heapq
from collections import deque
from collections.abc import Iterable

import numpy as np
from attrs import Factory, define, field

from specc.ir import Loop, RequestShape
from specc.serving.schedulers import Admitted, Budget, Waiting, composed
from specc.units import Tokens


@define
class Schedule:
    """What runs when, without times: runs of like steps, and when groups of requests pass.

    Each list of the runs has an entry a run; `context` is Σ context of the sequences that decode
    in its first step, `held` the tokens in the cache in its last. Each list of the groups has an
    entry for like requests: their shape, number, batch, and the runs that bring their first and
    last token. `begins` has the first run of each batch.
    """

    steps: list[int] = Factory(list)
    prefill: list[tuple[float, float, float, float, float]] = Factory(list)
    decoding: list[int] = Factory(list)
    context: list[float] = Factory(list)
    held: list[float] = Factory(list)
    shape: list[int] = Factory(list)
    count: list[int] = Factory(list)
    batch: list[int] = Factory(list)
    begins: list[int] = Factory(list)
    first: list[int] = Factory(list)
    last: list[int] = Factory(list)


@define
class Stepping:
    """The state between steps. Sequences that decode are not touched one by one.

    `turn` counts decode steps; a group that began to decode at turn b has context
    prompt + (turn - b) · yield + 1 and finishes at a turn known in advance.
    """

    shapes: tuple[RequestShape, ...]
    budget: Budget
    loop: Loop
    per_step: float
    decodes: bool
    waiting: "deque[Waiting]" = Factory(deque)
    schedule: Schedule = Factory(Schedule)
    turn: int = 0
    ready: int = 0
    # Σ over decoding sequences of prompt - base · yield: with it their context is one product.
    offset: float = 0.0
    # Tokens in the cache of prompts that are begun and not done.
    partial: float = 0.0
    finishing: list[tuple[int, int]] = field(factory=list)

    def run(self, batches: "Iterable[deque[Waiting]]") -> Schedule:
        """Run batches one after the other, each alone."""
        for waiting in batches:
            self.schedule.begins.append(len(self.schedule.steps))
            self.waiting = waiting
            self._run()
        return self.schedule

    def _run(self) -> None:
        new = tuple(shape.new for shape in self.shapes)
        while self.waiting or self.ready:
            admitted, decoding = composed(self.loop, self.waiting, new, self.ready, self.budget)
            if admitted:
                self._mixed(admitted, decoding)
            else:
                self._decode_only()

    @property
    def context(self) -> float:
        """Σ context over the sequences that decode next, their new token included."""
        return self.offset + self.ready * (self.turn * self.per_step + 1)

    def _mixed(self, admitted: list[Admitted], decoding: int) -> None:
        """One step that prefills, and decodes all that is ready or nothing."""
        self._record(1, admitted, decoding)
        if decoding:
            self.turn += 1
            self._finish()
        for group in admitted:
            self.partial += group.count * self._added(group)
            if group.last:
                self.partial -= group.count * self.shapes[group.shape].input
                self._start(group)

    def _decode_only(self) -> None:
        """Steps until the next sequence finishes: the batch only ages."""
        steps = max(1, self.finishing[0][0] - self.turn)
        self._record(steps, [], self.ready)
        self.turn += steps
        self._finish()

    def _start(self, group: Admitted) -> None:
        """A prompt is done: its first token, and its place among the sequences that decode."""
        s, shape = self.schedule, self.shapes[group.shape]
        s.shape.append(group.shape)
        s.count.append(group.count)
        s.batch.append(len(s.begins) - 1)
        s.first.append(len(s.steps) - 1)
        s.last.append(len(s.steps) - 1)
        if shape.output == 1 or not self.decodes:
            return
        turns = int(np.ceil((shape.output - 1) / self.per_step - 1e-9))
        heapq.heappush(self.finishing, (self.turn + turns, len(s.shape) - 1))
        self.ready += group.count
        self.offset += group.count * (shape.input - self.turn * self.per_step)

    def _finish(self) -> None:
        s = self.schedule
        while self.finishing and self.finishing[0][0] <= self.turn:
            finish, group = heapq.heappop(self.finishing)
            shape = self.shapes[s.shape[group]]
            turns = int(np.ceil((shape.output - 1) / self.per_step - 1e-9))
            self.ready -= s.count[group]
            self.offset -= s.count[group] * (shape.input - (finish - turns) * self.per_step)
            s.last[group] = len(s.steps) - 1

    def _record(self, steps: int, admitted: list[Admitted], decoding: int) -> None:
        s = self.schedule
        requests = tokens = pairs = causal = context = 0.0
        for group in admitted:
            cached = self.shapes[group.shape].cached
            n, q = group.count, group.query
            attended = cached + group.done + q
            requests += n
            tokens += n * q
            pairs += n * q * attended
            causal += n * (q * attended - q * (q - 1) / 2)
            context += n * attended
        s.steps.append(steps)
        s.prefill.append((requests, tokens, pairs, causal, context))
        s.decoding.append(decoding)
        s.context.append(self.context if decoding else 0.0)
        grown = decoding * (steps - 1) * self.per_step
        begun = self.partial + sum(group.count * self._added(group) for group in admitted)
        s.held.append(self.context + grown + begun)

    def _added(self, group: Admitted) -> Tokens:
        """Tokens that a chunk adds to the cache: its own, and the prefix found with the first."""
        return group.query + (self.shapes[group.shape].cached if group.done == 0 else 0)
