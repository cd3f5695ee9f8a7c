"""Search over the batch size of one layout. All strategies return the same record."""

import math
from collections.abc import Callable, Iterable

import numpy as np
from attrs import Factory, define, frozen
from numpy.typing import NDArray

from specc.ir import Search, Strategy
from specc.records import Record
from specc.results import Miss
from specc.search.goals import Goals
from specc.serving import ServingTable, joined

TIE = 1e-9  # relative: what differs by less is equal, and the smaller batch is taken
PEAK = "peak"  # larger batches meet the limits, and serve less
Integers = NDArray[np.int64]
Evaluate = Callable[[Integers], ServingTable]

LARGEST_BATCH = 16384
FIRST_RIGHT_EDGE = 512
MOST_DOUBLINGS = 10
# A scan: batch sizes that are all tried, points of an octave of the grid above them, peaks that it
# refines, points around each of these, and how far beside the best all batch sizes are tried.
ALL_UP_TO, OCTAVE, PEAKS, FINER, BESIDE = 16, 4, 3, 8, 8


@frozen(eq=False, repr=False)
class BatchSearch(Record):
    """The outcome of a search over the batch size.

    Attributes:
        table: every row that was probed, by rising batch.
        feasible: which of them meet all limits.
        best: the row with the highest objective among these; None if there is none.
        stopped_by: what the next larger batch breaks, the worst first; `range` if the range of
            batch sizes ends there, `peak` if larger ones serve less, `unknown` if not probed.
        misses: if nothing is feasible, the limits that the row nearest to it breaks.
        nearest: that row.
        relaxations: per limit, the row that comes nearest to it and meets all the others.
        probes: batch sizes evaluated.
    """

    table: ServingTable
    feasible: NDArray[np.bool_]
    best: int | None
    stopped_by: str
    misses: tuple[Miss, ...]
    nearest: int | None
    relaxations: tuple[Miss, ...]
    probes: int


def search_batch(
    search: Search,
    interval: tuple[int, int] | None,
    largest: int,
    evaluate: Evaluate,
    goals: Goals,
    enough: float = 1.0,
) -> BatchSearch:
    """Find the best batch size of a layout.

    Args:
        search: the strategy and its settings.
        interval: the range that the spec gives, inclusive; None leaves it open.
        largest: a bound above which the memory cannot hold the requests.
        evaluate: the serving model.
        goals: the limits.
        enough: share of the highest throughput that the best row must reach; the smallest batch
            that does is taken.

    `exhaustive` evaluates the whole range at once and finds the best row even where feasibility
    is not monotone. The others find the largest feasible batch, assuming it is: `binary` bisects
    [1, 512] or the range given; `exponential` doubles its right edge until it is infeasible,
    then bisects; `linear_exponential` cuts the doubling short by extrapolating each limit. `scan`
    refines a grid around its highest peaks: what it misses between the points is small, but not
    nothing. The grid does not depend on the range, so a wider range finds what a narrower one did.
    """
    strategy = search.strategy or Strategy.EXHAUSTIVE
    if strategy is Strategy.EXHAUSTIVE:
        _, high = interval or (1, LARGEST_BATCH)
        table = evaluate(exhaustive_batches(interval, largest))
        return _outcome(table, goals, high, enough)
    probes = _Probes(evaluate, goals)
    low, high = interval or (1, 2**MOST_DOUBLINGS * FIRST_RIGHT_EDGE)
    match strategy:
        case Strategy.BINARY:
            high = interval[1] if interval else FIRST_RIGHT_EDGE
            probes.bisect(low, high)
        case Strategy.EXPONENTIAL:
            probes.double(low, high, lambda _left, right: right)
        case Strategy.SCAN:
            high = min(high, max(low, largest))
            probes.scan(low, high)
        case Strategy.LINEAR_EXPONENTIAL:
            probes.double(low, high, _extrapolation(probes, search.slo_relax))
    return _outcome(probes.table(), goals, high, enough)


def exhaustive_batches(interval: tuple[int, int] | None, largest: int) -> Integers:
    """Return the batch sizes that exhaustive search evaluates, in one call."""
    low, high = interval or (1, LARGEST_BATCH)
    return np.arange(low, max(low, min(high, largest)) + 1)


def scan_grid(low: int, high: int) -> list[int]:
    """Return the batch sizes that a scan begins with: those of one grid that lie in the range."""
    octaves = math.log2(max(high, ALL_UP_TO) / ALL_UP_TO)
    above = [
        round(ALL_UP_TO * 2 ** (point / OCTAVE)) for point in range(math.ceil(octaves * OCTAVE))
    ]
    return sorted({b for b in (*range(1, ALL_UP_TO + 1), *above) if low < b < high} | {low, high})


@define
class _Probes:
    """Evaluates batch sizes, each once."""

    evaluate: Evaluate
    goals: Goals
    rows: dict[int, ServingTable] = Factory(dict)
    _ranks: dict[int, tuple[bool, float]] = Factory(dict)

    def row(self, batch: int) -> ServingTable:
        self._probe((batch,))
        return self.rows[batch]

    def is_feasible(self, batch: int) -> bool:
        return bool(self.goals.feasible(self.row(batch))[0])

    def bisect(self, low: int, high: int) -> None:
        """Close in on the largest feasible batch in [low, high]."""
        if not self.is_feasible(low):
            return
        left, right = low, high
        while left < right:
            middle = (left + right + 1) // 2
            if self.is_feasible(middle):
                left = middle
            else:
                right = middle - 1
        if left < high:
            self.row(left + 1)

    def double(self, low: int, high: int, estimate: Callable[[int, int], int]) -> None:
        """Double the right edge until it is infeasible, then bisect.

        `estimate(left, right)` is a guess of the edge of feasibility. Once it lies within twice
        the right edge it becomes that edge; a guess that proves feasible is doubled on.
        """
        if not self.is_feasible(low):
            return
        left, right = low, min(max(low, FIRST_RIGHT_EDGE), high)
        for _ in range(MOST_DOUBLINGS):
            guess = estimate(left, right)
            if right < guess <= 2 * right:
                left, right = (right, guess) if self.is_feasible(right) else (left, right)
            elif low < guess < right:
                left, right = (guess, right) if self.is_feasible(guess) else (left, guess)
            if right >= high or not self.is_feasible(right):
                break
            left, right = right, min(2 * right, high)
        self.bisect(left, min(right, high))

    def scan(self, low: int, high: int) -> None:
        """Probe a grid, ever finer ones around its highest peaks, and all beside the best."""
        self._probe(scan_grid(low, high))
        while self._probe({b for peak in self._peaks() for b in self._around(peak)}):
            pass
        while self._probe(range(max(low, self._best - BESIDE), min(high, self._best + BESIDE) + 1)):
            pass

    def _probe(self, batches: Iterable[int]) -> bool:
        """Evaluate batch sizes in one call; tell whether any of them is new."""
        new = sorted(set(batches) - self.rows.keys())
        if new:
            table = self.evaluate(np.array(new))
            self.rows |= {batch: table.rows(np.array([row])) for row, batch in enumerate(new)}
        return bool(new)

    @property
    def _best(self) -> int:
        return max(sorted(self.rows), key=self._rank)

    def _around(self, peak: int) -> list[int]:
        """Return batch sizes between the neighbours of one that was probed."""
        known = sorted(self.rows)
        place = known.index(peak)
        left, right = known[max(0, place - 1)], known[min(place + 1, len(known) - 1)]
        finer: list[int] = np.round(np.linspace(left, right, FINER)).astype(int).tolist()
        return finer

    def _peaks(self) -> list[int]:
        """Return the probed batch sizes that no neighbour beats, the best of them."""
        known = sorted(self.rows)
        ranks = [self._rank(batch) for batch in known]
        lowest = (False, -math.inf)
        beside = [
            max(left, right)
            for left, right in zip([lowest, *ranks], [*ranks[1:], lowest], strict=False)
        ]
        peaks = [b for b, own, other in zip(known, ranks, beside, strict=True) if own >= other]
        return sorted(peaks, key=self._rank, reverse=True)[:PEAKS]

    def _rank(self, batch: int) -> tuple[bool, float]:
        """Order rows: what is served within the limits, below that by how far they are missed."""
        if batch not in self._ranks:
            row, within = self.row(batch), self.is_feasible(batch)
            excess = () if within else self.goals.excess(row).values()
            served = float(row.throughput[0]) if within else -max(float(x[0]) for x in excess)
            self._ranks[batch] = within, served
        return self._ranks[batch]

    def table(self) -> ServingTable:
        """Return all probed rows by rising batch."""
        return joined([self.rows[batch] for batch in sorted(self.rows)])


def _extrapolation(probes: _Probes, slo_relax: float) -> Callable[[int, int], int]:
    """Return a guess of the edge: each limit extrapolated through two probes, the smallest wins.

    Memory: B_r + available_r / memory a request. An SLO: (B_l + (limit - x_l) / slope) · relax + 1.
    Where nothing bounds the batch the guess is the right edge itself, which doubling then moves.
    """

    def guess(left: int, right: int) -> int:
        if left == right:
            return right
        first, second = probes.row(left), probes.row(right)
        width = right - left
        guesses = []
        per_request = (first.memory.available[0] - second.memory.available[0]) / width
        if per_request > 0:
            guesses.append(right + second.memory.available[0] / per_request)
        for name in ("ttft", "tpot"):
            limit = getattr(probes.goals.slo, name)
            slope = (getattr(second, name)[0] - getattr(first, name)[0]) / width
            if limit is not None and slope > 0:
                distance = left + (limit - getattr(first, name)[0]) / slope
                guesses.append(distance * slo_relax + 1)
        return max(left, int(min(guesses))) if guesses else right

    return guess


def _outcome(table: ServingTable, goals: Goals, high: int, enough: float) -> BatchSearch:
    feasible = goals.feasible(table)
    if not feasible.any():
        worst = np.max(list(goals.excess(table).values()), axis=0)
        nearest = int(np.argmax(worst <= worst.min() + TIE))
        misses = goals.misses(table, nearest)
        return BatchSearch(
            table,
            feasible,
            None,
            misses[0].limit,
            misses,
            nearest,
            goals.relaxations(table),
            len(table),
        )
    rows = np.flatnonzero(feasible)
    reached = table.throughput[rows] >= (1 - TIE) * enough * table.throughput[rows].max()
    best = int(rows[np.argmax(reached)])
    last = int(rows[-1])
    stopped_by = _stopped_by(table, goals, last, high) if best == last else PEAK
    return BatchSearch(table, feasible, best, stopped_by, (), None, (), len(table))


def _stopped_by(table: ServingTable, goals: Goals, last: int, high: int) -> str:
    """Say what keeps the batch from being larger than the last feasible row."""
    if table.batch[last] >= high:
        return "range"
    misses = goals.misses(table, last + 1) if last + 1 < len(table) else ()
    return misses[0].limit if misses else "unknown"
