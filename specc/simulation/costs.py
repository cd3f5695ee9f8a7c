"""Costs of steps in whole picoseconds, fast to look up one by one.

Whole numbers make a simulation exact: a stride of many steps is a difference of prefix sums, the
same to the last digit as adding its steps up.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from attrs import Factory, define, field
from numpy.typing import NDArray

from specc.cost import Sequences, StepTable
from specc.serving.server import Server
from specc.simulation.requests import TooLongError
from specc.units import Seconds, Tokens

PICOSECONDS = 10**12  # of a second
_BATCHES_AT_ONCE = 64
_SUM_BYTES, _MOST_BYTES = 8, 1 << 28  # of a prefix sum; of all that are kept of an instance
_MOST_KNOWN = 100_000  # steps that are remembered: many prompts are of one length
_MOST_NODES = 48  # contexts between which the cost of a decode step is taken to be linear


class StepCosts(Protocol):
    """What the simulator asks of a cost model. All times are whole picoseconds."""

    def decode(self, batch: int) -> Sequence[int]:
        """Return prefix sums over the context: [c] is Σ cost of decode steps at contexts < c.

        A step decodes `batch` sequences whose mean context, rounded down, is c.
        """

    def mixed(self, tokens: Tokens, keys: int, batch: int, context: Tokens) -> int:
        """Return the cost of a step that prefills, and decodes `batch` sequences, or none.

        Args:
            tokens: new tokens of prompts.
            keys: query-key pairs of theirs that causality leaves.
            batch: sequences that decode beside them.
            context: their mean context, rounded down.
        """


def elapsed(ends: Sequence[int], first: int, last: int) -> NDArray[np.int64]:
    """Return the prefix sums from `first` to `last`, less the first, whole or not in 64 bits."""
    part = ends[first : last + 1]
    if isinstance(part, range):
        return np.arange(len(part), dtype=np.int64) * part.step
    sums = np.array(part, np.int64)
    passed: NDArray[np.int64] = sums - sums[0]
    return passed


def picoseconds(seconds: Seconds) -> int:
    """Return a time in whole picoseconds."""
    return round(seconds * PICOSECONDS)


def prefix_sums(costs: NDArray[np.float64]) -> "array[int]":
    """Return the prefix sums of costs in seconds; entry c sums those before c.

    Raises:
        TooLongError: 64 bits cannot hold them.
    """
    if costs.sum() * PICOSECONDS >= 2.0**63:
        raise TooLongError
    whole = np.round(costs * PICOSECONDS).astype(np.int64)
    sums = array("q")
    sums.frombytes(np.concatenate([[0], np.cumsum(whole)]).astype(np.int64).tobytes())
    return sums


@define
class CostTable:
    """The cost model of an instance, tabulated.

    Decode steps are exact in the batch and linear between contexts a few percent apart. What
    prompts add to the step of the sequences that decode is interpolated in four variables: the
    mean context of these, new tokens, keys of the mean new token, and sequences that decode. (The
    context matters where the host, and not the device, bounds the smaller of the two steps.)

    Attributes:
        server: the instance.
        ranks: engines that run in step and share experts. Of several, the times of `decode` and
            `mixed` are those of kernels and between steps, with experts at the own tokens.
        longest: the longest context.
        budget: the most new tokens of prompts in a step.
        limit: the most sequences that decode.
        overhead: seconds that the server adds to every step.
        slowness: factor on all times, for what if the cost model errs.
    """

    server: Server
    longest: Tokens
    budget: Tokens
    limit: int
    ranks: int = 1
    overhead: Seconds = 0.0
    slowness: float = 1.0
    _decode: dict[int, "array[int]"] = Factory(dict)
    _axes: tuple[list[float], ...] = field(init=False)
    _added: "array[float]" = field(init=False)
    _known: dict[tuple[int, int, int, int], tuple[float, float]] = Factory(dict)
    _pooled: "tuple[list[float], list[float]]" = field(init=False)
    _pooled_known: dict[float, int] = Factory(dict)
    _least: tuple[int, int, int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Tabulate what prompts add to a step."""
        self._axes = (
            _spaced(1, self.longest, 4.0),
            _spaced(1, self.budget, 1.35),
            _spaced(1, self.longest, 2.0),
            [0.0, *_spaced(1, self.limit, 1.7)],
        )
        grid = np.meshgrid(*self._axes, indexing="ij")
        context, tokens, keys, batch = (part.ravel() for part in grid)
        alone = self._times(np.zeros(len(tokens)), keys, batch, context)
        added = self._times(tokens, keys, batch, context) - np.where(batch > 0, alone, 0.0)
        self._added = array("d", (added * PICOSECONDS).tolist())
        if self.ranks > 1:
            self._tabulate_pooled()

    def decode(self, batch: int) -> "array[int]":
        """Return the prefix sums of a batch."""
        known = self._decode.get(batch)
        if known is not None:
            return known
        if len(self._decode) * self.longest * _SUM_BYTES > _MOST_BYTES:
            self._decode.clear()
        # Of long contexts fewer at once: a model of 10 M tokens has 84 MB for each batch.
        fit = _MOST_BYTES // 4 // (self.longest * _SUM_BYTES)
        at_once = min(_BATCHES_AT_ONCE, max(1, fit))
        first = (batch - 1) // at_once * at_once + 1
        self._tabulate(range(first, first + at_once))
        return self._decode[batch]

    def mixed(self, tokens: Tokens, keys: int, batch: int, context: Tokens) -> int:
        """Return the cost of a step that prefills, multilinear between the nodes."""
        by_context = self._axes[0]
        # The last node has no next one; before the first one there is none.
        h = bisect_right(by_context, context, 1, len(by_context) - 1) - 1 if batch else 0
        key = (tokens, keys, batch, h)
        ends = self._known.get(key)
        if ends is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            ends = self._known[key] = self._at_nodes(*key)
        low, high = ends
        if not batch:
            return round(low)
        sums = self._decode.get(batch) or self.decode(batch)
        w = (context - by_context[h]) / (by_context[h + 1] - by_context[h])
        return round(low + w * (high - low)) + sums[context + 1] - sums[context]

    def spread(self, tokens: Tokens, total: Tokens) -> int:
        """Return what is added to the time of `decode` or `mixed` where a step is one of several.

        The experts are busy with the mean of the tokens of all engines, and not with its own. The
        step takes at least as long as the host does; see `least`.

        Args:
            tokens: new tokens of its step.
            total: of the steps of all engines.
        """
        return self._pooled_at(total / self.ranks) - self._pooled_at(tokens)

    def least(self, tokens: Tokens, batch: int) -> int:
        """Return what the host takes for a step with so many new tokens of prompts, or none."""
        decode, prefill, each = self._least
        return (prefill if tokens else decode) + each * batch

    def _pooled_at(self, tokens: float) -> int:
        known = self._pooled_known.get(tokens)
        if known is None:
            if len(self._pooled_known) >= _MOST_KNOWN:
                self._pooled_known.clear()
            known = self._pooled_known[tokens] = round(float(np.interp(tokens, *self._pooled)))
        return known

    def _tabulate_pooled(self) -> None:
        """Tabulate what experts add to a step by its tokens, and what the host takes."""
        cost, block = self.server.cost, self.server.block
        tokens = np.array([0.0, *_spaced(1, self.budget + self.limit, 1.2)])
        tokens = np.unique([*tokens, 1 / self.ranks, 0.5])
        scale = self.slowness * PICOSECONDS
        seconds = cost.pooled_seconds(StepTable.decoding(tokens, 1, block))
        self._pooled = tokens.tolist(), (seconds * scale).tolist()
        steps = [StepTable.decoding([1.0, 2.0], 1, block), StepTable.prefilling(1, 1, 1, block)]
        one, two, prefill = np.concatenate([sum(cost.host_seconds(s)) for s in steps]) * scale
        each = two - one
        added = self.overhead * scale - each
        self._least = round(one + added), round(prefill + added), round(each)

    def _at_nodes(self, tokens: Tokens, keys: int, batch: int, h: int) -> tuple[float, float]:
        """Return what prompts add to a step at a node of the context, and at the next."""
        _, by_tokens, by_keys, by_batch = self._axes
        each = keys / tokens
        i = min(bisect_right(by_tokens, tokens), len(by_tokens) - 1) - 1
        j = min(bisect_right(by_keys, each), len(by_keys) - 1) - 1
        k = min(bisect_right(by_batch, batch), len(by_batch) - 1) - 1
        x = (tokens - by_tokens[i]) / (by_tokens[i + 1] - by_tokens[i])
        y = (each - by_keys[j]) / (by_keys[j + 1] - by_keys[j])
        z = (batch - by_batch[k]) / (by_batch[k + 1] - by_batch[k])
        row, plane = len(by_batch), len(by_batch) * len(by_keys)
        at = ((h * len(by_tokens)) + i) * plane + j * row + k
        low = _trilinear(self._added, at, plane, row, x, y, z)
        at += plane * len(by_tokens)
        return low, _trilinear(self._added, at, plane, row, x, y, z)

    def _tabulate(self, batches: range) -> None:
        nodes = np.array(_contexts(self.longest))
        batch, context = (part.ravel() for part in np.meshgrid(batches, nodes, indexing="ij"))
        none = np.zeros(len(batch))
        times = self._times(none, none + 1, batch.astype(np.float64), context)
        contexts = np.arange(self.longest + 2)
        for row, size in zip(times.reshape(len(batches), -1), batches, strict=True):
            self._decode[size] = prefix_sums(np.interp(contexts, nodes, row))

    def _times(
        self,
        tokens: NDArray[np.float64],
        keys: NDArray[np.float64],
        batch: NDArray[np.float64],
        context: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return seconds of steps; prompts are as many and as long as their mean key count says.

        A prompt of q tokens without a cached prefix has (q + 1) / 2 keys a token. A single chunk
        with more keys than that has a prefix that is done or cached.
        """
        server, block = self.server, self.server.block
        query = np.maximum(np.minimum(tokens, 2 * keys - 1), 1.0)
        prompts = tokens / query
        attended = keys + (query - 1) / 2
        prefill = Sequences(
            requests=prompts,
            tokens=tokens,
            pairs=tokens * attended,
            causal_pairs=tokens * keys,
            context=prompts * attended,
            blocks=prompts * np.ceil(attended / block),
        )
        new = 1 + server.drafted
        begun = tokens / server.mixture.mean_new
        steps = StepTable.of(
            prefill=prefill,
            decode=Sequences.of(batch, new, context + server.drafted, block),
            patches=begun * server.mixture.patches,
            patch_pairs=begun * server.mixture.patch_pairs,
        )
        if self.ranks == 1:
            seconds = server.times(steps).total
        else:  # what the host takes to launch is compared when the experts are known
            seconds = server.cost.kernel_seconds(steps) + server.cost.host_seconds(steps)[1]
            if server.draft is not None:  # a draft model of its own runs on each rank by itself
                seconds = seconds + server.times(steps).total - server.cost.times(steps).total
        return np.asarray((seconds + self.overhead) * self.slowness, np.float64)


class RankCosts(StepCosts, Protocol):
    """What several engines in step ask of a cost model."""

    def spread(self, tokens: Tokens, total: Tokens) -> int:
        """Return what is added to the own time of an engine; see `CostTable.spread`."""

    def least(self, tokens: Tokens, batch: int) -> int:
        """Return the least time of a step; see `CostTable.least`."""


@define
class MeasuredCosts:
    """Step times as somebody measured them, linear between the measurements and beyond them.

    A step that prefills and decodes takes as long as one step of each.

    Attributes:
        prefill: (new tokens, seconds) of steps that prefill, by tokens.
        decoding: (sequences, seconds) of steps that decode, by sequences.
        longest: the longest context.
    """

    prefill: Sequence[tuple[int, Seconds]]
    decoding: Sequence[tuple[int, Seconds]]
    longest: Tokens
    _decode: dict[int, range] = Factory(dict)

    def decode(self, batch: int) -> range:
        """Return the prefix sums of a batch; the context makes no difference."""
        if batch not in self._decode:
            each = max(1, picoseconds(line_through(self.decoding, batch)))
            self._decode[batch] = range(0, each * (self.longest + 2), each)
        return self._decode[batch]

    def mixed(self, tokens: Tokens, keys: int, batch: int, context: Tokens) -> int:
        """Return the time of the prompts, and that of the sequences that decode."""
        seconds = line_through(self.prefill, tokens)
        if batch:
            seconds += line_through(self.decoding, batch)
        return picoseconds(seconds)


def line_through(points: Sequence[tuple[int, Seconds]], size: int) -> Seconds:
    """Return the time at a size: linear between points, and along the last two beyond them."""
    if len(points) == 1:
        return points[0][1]
    sizes = [point[0] for point in points]
    right = min(max(bisect_right(sizes, size), 1), len(points) - 1)
    (a, low), (b, high) = points[right - 1], points[right]
    return max(low + (high - low) * (size - a) / (b - a), 0.0)


def _trilinear(
    g: "array[float]", at: int, plane: int, row: int, x: float, y: float, z: float
) -> float:
    """Interpolate in a cell of a grid; `at` is its lowest corner, x, y, z the place in it."""
    low = g[at] + z * (g[at + 1] - g[at])
    at += row
    low += y * (g[at] + z * (g[at + 1] - g[at]) - low)
    at += plane
    high = g[at] + z * (g[at + 1] - g[at])
    at -= row
    first = g[at] + z * (g[at + 1] - g[at])
    return low + x * (first + y * (high - first) - low)


def _spaced(first: int, last: int, factor: float) -> list[float]:
    """Return nodes from the first to the last, each by a factor above the one before."""
    count = max(2, int(np.ceil(np.log(max(last / first, 1.0)) / np.log(factor))) + 1)
    last = max(last, first + 1)
    return sorted({float(round(x)) for x in np.geomspace(first, last, count)})


def _contexts(longest: Tokens) -> list[float]:
    factor = max(1.05, float(longest) ** (1 / _MOST_NODES))
    return [0.0, *_spaced(1, longest + 1, factor)]
