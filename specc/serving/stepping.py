"""The steps of a batch, without times: groups of like requests pass through a scheduler.

Between two steps that differ nothing is touched one by one.
"""

import heapq
from collections import deque
from collections.abc import Iterable

import numpy as np
from attrs import Factory, define, frozen
from numpy.typing import NDArray

from specc.ir import Loop, RequestShape
from specc.serving.schedulers import Admitted, Budget, Waiting, composed
from specc.serving.table import Column

Integers = NDArray[np.int64]


@frozen(eq=False)
class Schedule:
    """What runs when, without times: runs of like steps, and when groups of requests pass.

    Attributes (one entry a run):
        steps: like steps.
        prefill: sums over the prompts that its first step takes in, shape (runs, 5): requests, new
            tokens, pairs, pairs that causality leaves, and context.
        decoding: sequences that a step decodes.
        context: Σ context of these in the first step.
        held: tokens in the cache in the last step.

    Attributes (one entry a group of like requests):
        shape, count, batch: their shape, number, and batch.
        first, last: runs that bring their first and last token.

    Attributes (one entry a batch):
        begins: its first run.
    """

    steps: Integers
    prefill: Column
    decoding: Integers
    context: Column
    held: Column
    shape: Integers
    count: Integers
    batch: Integers
    first: Integers
    last: Integers
    begins: Integers


@define
class Stepping:
    """The state between steps. Sequences that decode are not touched one by one.

    `turn` counts decode steps; a group that began to decode at turn b has context
    prompt + (turn - b) · yield + 1 and finishes at a turn known in advance.

    Attributes:
        runs: steps, decoding sequences, their context, and tokens held, of each run.
        taken: run, shape, tokens done, new tokens, and number, of like prompts that a step takes.
        groups: shape, number, batch, and runs of the first and last token, of like requests.
        begins: the first run of each batch.
        offset: Σ over decoding sequences of prompt - base · yield: with it their context is one
            product.
        partial: tokens in the cache of prompts that are begun and not done.
        finishing: turn and group of what decodes, the next to finish first.
    """

    shapes: tuple[RequestShape, ...]
    budget: Budget
    loop: Loop
    per_step: float
    decodes: bool
    waiting: "deque[Waiting]" = Factory(deque)
    runs: list[tuple[int, int, float, float]] = Factory(list)
    taken: list[tuple[int, int, int, int, int]] = Factory(list)
    groups: list[list[int]] = Factory(list)
    begins: list[int] = Factory(list)
    turn: int = 0
    ready: int = 0
    offset: float = 0.0
    partial: float = 0.0
    finishing: list[tuple[int, int]] = Factory(list)
    _turns: tuple[int, ...] = ()

    def run(self, batches: "Iterable[deque[Waiting]]") -> Schedule:
        """Run batches one after the other, each alone."""
        self._turns = tuple(
            int(np.ceil((shape.output - 1) / self.per_step - 1e-9)) for shape in self.shapes
        )
        for waiting in batches:
            self.begins.append(len(self.runs))
            self.waiting = waiting
            self._run()
        return self._schedule()

    def _run(self) -> None:
        new = tuple(shape.new for shape in self.shapes)
        while self.waiting:
            admitted, decoding = composed(self.loop, self.waiting, new, self.ready, self.budget)
            if admitted:
                self._mixed(admitted, decoding)
            else:
                self._decode_only()
        while self.ready:
            self._decode_only()

    def _mixed(self, admitted: list[Admitted], decoding: int) -> None:
        """One step that prefills, and decodes all that is ready or nothing."""
        run, shapes, begun = len(self.runs), self.shapes, 0
        for group in admitted:
            query, count = group.query, group.count
            self.taken.append((run, group.shape, group.done, query, count))
            begun += count * (query if group.done else query + shapes[group.shape].cached)
        self.partial += begun
        context = self.offset + self.ready * (self.turn * self.per_step + 1)
        held = context + self.partial
        self.runs.append((1, decoding, context if decoding else 0.0, held))
        if decoding:
            self.turn += 1
            self._finish()
        for group in admitted:
            if group.last:
                self.partial -= group.count * shapes[group.shape].input
                self._start(group)

    def _decode_only(self) -> None:
        """Steps until the next sequence finishes: the batch only ages."""
        steps, ready, per_step = max(1, self.finishing[0][0] - self.turn), self.ready, self.per_step
        context = self.offset + ready * (self.turn * per_step + 1)
        held = context + ready * (steps - 1) * per_step + self.partial
        self.runs.append((steps, ready, context, held))
        self.turn += steps
        self._finish()

    def _start(self, group: Admitted) -> None:
        """A prompt is done: its first token, and its place among the sequences that decode."""
        shape, run = self.shapes[group.shape], len(self.runs) - 1
        self.groups.append([group.shape, group.count, len(self.begins) - 1, run, run])
        if shape.output == 1 or not self.decodes:
            return
        finish = self.turn + self._turns[group.shape]
        heapq.heappush(self.finishing, (finish, len(self.groups) - 1))
        self.ready += group.count
        self.offset += group.count * (shape.input - self.turn * self.per_step)

    def _finish(self) -> None:
        finishing, run = self.finishing, len(self.runs) - 1
        while finishing and finishing[0][0] <= self.turn:
            finish, number = heapq.heappop(finishing)
            group = self.groups[number]
            shape, count = group[:2]
            base = (finish - self._turns[shape]) * self.per_step
            self.ready -= count
            self.offset -= count * (self.shapes[shape].input - base)
            group[-1] = run

    def _schedule(self) -> Schedule:
        steps, decoding, context, held = np.array(self.runs, np.float64).T
        shape, count, batch, first, last = np.array(self.groups, np.int64).reshape(-1, 5).T
        return Schedule(
            steps=steps.astype(np.int64),
            prefill=self._prefilled(),
            decoding=decoding.astype(np.int64),
            context=context,
            held=held,
            shape=shape,
            count=count,
            batch=batch,
            first=first,
            last=last,
            begins=np.array(self.begins),
        )

    def _prefilled(self) -> Column:
        """Return the sums over the prompts of each run, shape (runs, 5)."""
        run, shape, done, query, count = np.array(self.taken, np.int64).reshape(-1, 5).T
        cached = np.array([s.cached for s in self.shapes])
        n, q = count.astype(np.float64), query.astype(np.float64)
        attended = cached[shape] + done + q
        causal = n * (q * attended - q * (q - 1) / 2)
        sums = (n, n * q, n * q * attended, causal, n * attended)
        return np.stack(
            [np.bincount(run, weights=each, minlength=len(self.runs)) for each in sums], axis=1
        )
