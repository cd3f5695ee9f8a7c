"""What a simulation says: statistics over requests, attainment, goodput, and what ran when.

Percentiles interpolate linearly between the two nearest values, as numpy does. TTFT is the first
token less the arrival, TPOT (last − first token) / (output − 1), latency the last token less the
arrival, queue the first step less the arrival, ITL the gaps between tokens of all requests.
"""

import math
from collections.abc import Sequence

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.ir import Bound, RequestClass, RequestKind, Slo, Workload
from specc.results import Attainment, BinMetrics, ClassMetrics, Metrics, Series, Statistics, Steps
from specc.simulation.costs import PICOSECONDS
from specc.simulation.engine import BATCH, DURATION, START, STEPS, TOKENS, USED, WAITING
from specc.simulation.requests import REJECTED, Gaps, Integers, Requests, Served
from specc.units import Seconds

SAMPLES = 240  # points of a series
STEPS_SHOWN = 60  # runs of a timeline
CDF_POINTS = 101
Floats = NDArray[np.float64]
Values = dict[str, Floats]  # metrics of each request
Seen = dict[str, Statistics | None]
_FEW_WAITING = 10  # requests of a class, by which a steady queue may vary
_OF_REQUESTS = ("ttft", "tpot", "queue", "latency")
_QUANTILES = (0.5, 0.9, 0.95, 0.99, 1.0)  # p50 to max


@frozen(eq=False)
class Outcome:
    """A simulation that ran: the requests, what became of them, and what ran on each engine.

    Attributes:
        runs: of each engine, shape (N, 8): see `RUN_COLUMNS`.
        capacity: KV-cache blocks of each engine.
        rejected: requests that no engine takes.
        decoding_from: the first engine that decodes, where phases are apart.
        request_time: picoseconds to a first token that are none of the engines' steps.
        interrupted: whether it was stopped before its end.
    """

    requests: Requests
    served: Served
    gaps: Gaps
    runs: Sequence[Integers]
    capacity: Sequence[int]
    rejected: int = 0
    interrupted: bool = False
    decoding_from: int = 0
    request_time: int = 0

    @property
    def done(self) -> NDArray[np.bool_]:
        """Which requests have their last token."""
        return np.asarray(self.served.finish != REJECTED)

    def slowed(self, factor: float) -> "Outcome":
        """Return what would have happened if all that takes time took `factor` times as long.

        That is so where clients of a closed loop send as soon as they are served, at once at first:
        no time comes from elsewhere. Within the rounding to picoseconds of each step.
        """

        def longer(times: Integers) -> Integers:
            scaled = np.rint(times * factor).astype(np.int64)
            return np.where(times == REJECTED, REJECTED, scaled)

        served, gaps, runs = self.served, self.gaps, [run.copy() for run in self.runs]
        for run in runs:
            run[:, START], run[:, DURATION] = longer(run[:, START]), longer(run[:, DURATION])
        return evolve(
            self,
            requests=evolve(self.requests, arrival=longer(self.requests.arrival)),
            served=evolve(
                served,
                start=longer(served.start),
                first=longer(served.first),
                finish=longer(served.finish),
            ),
            gaps=Gaps.of(longer(gaps.durations), gaps.counts),
            runs=runs,
            request_time=round(self.request_time * factor),
        )

    def values(self, metric: str) -> Floats:
        """Return a metric of each request, in seconds; NaN where it has none."""
        arrival, served = self.requests.arrival, self.served
        if metric == "tpot":
            gaps = np.where(self.requests.output > 1, self.requests.output - 1, 0)
            spans = served.finish - served.first
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(self.done & (gaps > 0), spans / gaps / PICOSECONDS, np.nan)
        ends = {"ttft": served.first, "queue": served.start, "latency": served.finish}[metric]
        outside = 0 if metric == "queue" else self.request_time
        return np.where(ends != REJECTED, (ends - arrival + outside) / PICOSECONDS, np.nan)

    def metrics(self, workload: Workload) -> Metrics:
        """Return what the simulation says, judged by the limits of a workload and its classes."""
        values = {name: self.values(name) for name in _OF_REQUESTS}
        arrival, done = self.requests.arrival, self.done
        first = int(arrival[0])
        last = int(self.served.finish.max(initial=first))
        span = max((last - first + self.request_time) / PICOSECONDS, 1e-12)
        seen = {name: _statistics(of_metric) for name, of_metric in values.items()}
        itl = statistics_of_gaps(self.gaps)
        parts = self._parts(workload, values, seen)
        met = self.met(workload)
        bins = len(workload.rows)
        busy, batch = self._use(self.decoding_from, len(self.runs), span)
        prefill_busy = self._use(0, self.decoding_from, span)[0] if self.decoding_from else None
        arriving = float((arrival[-1] - first) / PICOSECONDS)
        hits = int(self.served.hits.sum())
        computed = sum(int(runs[:, TOKENS].sum()) for runs in self.runs)
        return Metrics(
            requests=len(arrival),
            finished=int(done.sum()),
            rejected=self.rejected,
            preemptions=int(self.served.preemptions.sum()),
            span=span,
            arriving=arriving,
            rate=(len(arrival) - 1) / arriving if arriving > 0 else 0.0,
            served=float(done.sum() / span),
            throughput=float(self.requests.output[done].sum() / span),
            input_throughput=float(self.requests.input[done].sum() / span),
            attainment=float(met.mean()),
            goodput=float(met.sum() / span),
            busy=busy,
            prefill_busy=prefill_busy,
            batch=batch,
            most_waiting=self._most(WAITING),
            most_tokens=self._most(TOKENS),
            most_decoding=self._most(BATCH),
            cache=self._fullest(),
            hits=hits / max(1, hits + computed),
            growing=any(self._growing(values, part.own, arriving) for part in parts),
            objectives=tuple(self._objectives(workload, parts, values, itl)),
            bins=tuple(self._bins(values, met, bins)) if bins > 1 else (),
            classes=tuple(self._classes(parts, met, span)),
            itl=itl,
            **seen,
        )

    def met(self, workload: Workload) -> NDArray[np.bool_]:
        """Say which requests met every limit that they have, each at its widest."""
        met = self.done.copy()
        for kind, own in self._kinds(workload):
            for metric, limit in widest(kind.slo).items():
                if metric != "itl":  # what has no second token has no TPOT
                    values = self.values(metric)
                    met &= np.isnan(values) | (values <= limit) | ~own
        return met

    def _use(self, start: int, stop: int, span: Seconds) -> tuple[float, float]:
        """Return the share of the time in which engines run steps, and the mean batch of these."""
        engines = self.runs[start:stop]
        # In floating point: batch times duration, summed over days, is beyond 64 bits.
        took = [runs[:, DURATION] / PICOSECONDS for runs in engines]
        total = math.fsum(float(t.sum()) for t in took)
        rows = zip(engines, took, strict=True)
        held = math.fsum(float((runs[:, BATCH] * t).sum()) for runs, t in rows)
        return total / span / max(1, len(engines)), held / total if total else 0.0

    def _kinds(self, workload: Workload) -> list[tuple[RequestKind, NDArray[np.bool_]]]:
        """Return the classes, each with its requests; of a workload without any itself."""
        category = self.requests.category
        if category is None:
            return [(workload, np.ones(len(self.requests), bool))]
        return [(kind, category == number) for number, kind in enumerate(workload.classes)]

    def _parts(self, workload: Workload, values: Values, whole: Seen) -> "list[_Part]":
        """Return the kinds of requests with what they saw; `whole` is what all of them saw."""
        kinds = self._kinds(workload)
        if len(kinds) == 1 and kinds[0][0] is workload:
            return [_Part(workload, kinds[0][1], whole)]
        return [
            _Part(kind, own, {name: _statistics(values[name][own]) for name in values})
            for kind, own in kinds
        ]

    def _objectives(
        self, workload: Workload, parts: "list[_Part]", values: Values, itl: Statistics | None
    ) -> "list[Attainment]":
        """Return how each limit fares; gaps between tokens are of all classes together."""
        of_requests = [
            self._of_requests(part, bound, values)
            for part in parts
            for bound in part.kind.slo.objectives
            if not _is_of_gaps(bound)
        ]
        of_gaps = [b for b in workload.slo.objectives if _is_of_gaps(b)]
        return [*of_requests, *(self._of_gaps(bound, itl) for bound in of_gaps)]

    def _of_gaps(self, bound: Bound, seen: Statistics | None) -> Attainment:
        within = self.gaps.durations <= bound.value * PICOSECONDS
        total = max(1, int(self.gaps.counts.sum()))
        return _attainment(bound, seen, float(self.gaps.counts[within].sum() / total))

    def _of_requests(self, part: "_Part", bound: Bound, values: Values) -> Attainment:
        metric = bound.fact.partition(".")[0]
        known = part.own & self.done & ~np.isnan(values[metric])
        judged = known | (part.own & ~self.done)
        within = known & (values[metric] <= bound.value)
        share = float(within.sum() / max(1, judged.sum()))
        return _attainment(bound, part.seen[metric], share, part.name)

    def _classes(
        self, parts: "list[_Part]", met: NDArray[np.bool_], span: Seconds
    ) -> "list[ClassMetrics]":
        return [
            ClassMetrics(
                name=part.name,
                requests=int(part.own.sum()),
                finished=int((part.own & self.done).sum()),
                attainment=float(met[part.own].mean()) if part.own.any() else None,
                goodput=float((met & part.own).sum() / span),
                **part.seen,
            )
            for part in parts
            if part.name
        ]

    def _bins(self, values: Values, met: NDArray[np.bool_], count: int) -> "list[BinMetrics]":
        found = []
        for number in range(count):
            own = self.requests.bin == number
            ttft, tpot = (values[name][own] for name in ("ttft", "tpot"))
            found.append(
                BinMetrics(
                    number,
                    int(own.sum()),
                    _statistics(ttft),
                    _statistics(tpot),
                    float(met[own].mean()) if own.any() else 0.0,
                )
            )
        return found

    def _most(self, column: int) -> int:
        return max((int(runs[:, column].max()) for runs in self.runs if len(runs)), default=0)

    def _fullest(self) -> float:
        shares = [
            float(runs[:, USED].max() / capacity)
            for runs, capacity in zip(self.runs, self.capacity, strict=True)
            if len(runs)
        ]
        return max(shares, default=0.0)

    def _growing(self, values: Values, own: NDArray[np.bool_], arriving: Seconds) -> bool:
        """Say whether the queue of some requests, those of a class, grows while they come.

        By their waits, and of a class by how many of them wait, too: what is served last may wait
        until the others have stopped to come, however late it came itself. The mean over the last
        fifth of the requests is compared with the one over the two fifths in the middle, against
        what a steady queue may vary by.
        """
        queue, latency = values["queue"][own], values["latency"][own]
        fifth = len(queue) // 5
        if fifth < 20:
            return False
        middle, last = slice(fifth, 3 * fifth), slice(-fifth, None)
        if np.isnan(queue[middle]).all() or np.isnan(queue[last]).all():
            return False
        typical = float(np.nanmedian(latency - queue))
        if arriving < typical:
            return False  # all at once: nothing comes while the queue is served
        if np.nanmean(queue[last]) > 2 * np.nanmean(queue[middle]) + typical / 4:
            return True
        if self.requests.category is None:
            return False
        arrival, start = self.requests.arrival[own], self.served.start[own]
        started = np.sort(start[start != REJECTED])
        waiting = np.arange(len(arrival)) - np.searchsorted(started, arrival, side="right")
        # By Little's law as many come in such a time.
        few = max(_FEW_WAITING, typical / 4 * len(arrival) / arriving)
        return bool(waiting[last].mean() > 2 * waiting[middle].mean() + few)

    def series(self) -> Series:
        """Return the most of each engine from one moment to the next, all engines together."""
        start = int(self.requests.arrival[0])
        end = max((int(r[-1, START] + r[-1, DURATION]) for r in self.runs if len(r)), default=0)
        moments = np.linspace(start, max(end, start + 1), SAMPLES).astype(np.int64)
        waiting, running = np.zeros(SAMPLES, np.int64), np.zeros(SAMPLES, np.int64)
        used, total = np.zeros(SAMPLES), 0
        for runs, capacity in zip(self.runs, self.capacity, strict=True):
            total += capacity
            if not len(runs):
                continue
            row = np.searchsorted(runs[:, START], moments, side="right") - 1
            active = (row >= 0) & (moments < (runs[:, START] + runs[:, DURATION])[row])
            begins = np.diff(row, append=row[-1]) > 0  # runs begin before the next moment
            first = np.clip(np.where(active, row, row + 1), 0, len(runs) - 1)
            most = np.maximum.reduceat(runs[:, [WAITING, BATCH, USED]], first, axis=0)
            most = np.where((active | begins)[:, None], most, 0)
            waiting += most[:, 0]
            running += most[:, 1]
            used += most[:, 2]
        seconds = (moments - start) / PICOSECONDS
        return Series(
            tuple(np.round(seconds, 6).tolist()),
            tuple(waiting.tolist()),
            tuple(running.tolist()),
            tuple(np.round(used / max(1, total), 6).tolist()),
        )

    def steps(self) -> Steps:
        """Return the steps around the longest queue, of the engine that has it."""
        longest = [int(r[:, WAITING].max()) if len(r) else -1 for r in self.runs]
        runs = self.runs[int(np.argmax(longest))]
        middle = int(np.argmax(runs[:, WAITING])) if len(runs) else 0
        begin = max(0, min(middle - STEPS_SHOWN // 3, len(runs) - STEPS_SHOWN))
        shown = runs[begin : begin + STEPS_SHOWN]
        begins = shown[:, START] / PICOSECONDS
        return Steps(
            tuple(begins.tolist()),
            tuple((begins + shown[:, DURATION] / PICOSECONDS).tolist()),
            tuple(shown[:, STEPS].tolist()),
            tuple(shown[:, TOKENS].tolist()),
            tuple(shown[:, BATCH].tolist()),
            tuple(shown[:, WAITING].tolist()),
        )

    def distribution(self, metric: str) -> tuple[Seconds, ...]:
        """Return quantiles of a metric, 0 % to 100 %."""
        values = self.values(metric)
        values = values[~np.isnan(values)]
        if not len(values):
            return ()
        return tuple(np.quantile(values, np.linspace(0, 1, CDF_POINTS)).tolist())


def of_the_middle(
    outcome: Outcome, metrics: Metrics, met: NDArray[np.bool_], ramp: Seconds
) -> Metrics:
    """Return the metrics of a run, with the rates of its middle; `met` are those within limits.

    The middle begins when clients that begin one by one, over the time `ramp`, are all there; where
    requests come at times of their own (no ramp), when the first ones are done but for one in a
    hundred, and before half of them came. It ends when the last one is sent. A load that is over
    too soon has the rates of its run.
    """
    latency, requests, finish = metrics.latency, outcome.requests, outcome.served.finish
    category = requests.category
    begin = ramp
    if not ramp and latency is not None:
        begin = min(latency.p99, metrics.arriving / 2)
    first, last = begin * PICOSECONDS, int(requests.arrival[-1])
    inside = (finish > first) & (finish <= last)
    if last <= first or not inside.any():
        return metrics
    served = float(inside.sum() / (last - first) * PICOSECONDS)
    # Tokens as often as requests, whichever of their tokens count.
    longer = requests.output[inside].mean() / max(requests.output[outcome.done].mean(), 1e-30)
    return evolve(
        metrics,
        served=served,
        throughput=metrics.throughput * served / metrics.served * float(longer),
        input_throughput=served * float(requests.input[inside].mean()),
        goodput=_a_second(met & inside, first, last),
        classes=tuple(
            evolve(one, goodput=_a_second(met & inside & (category == number), first, last))
            for number, one in enumerate(metrics.classes)
        ),
    )


def _a_second(requests: NDArray[np.bool_], first: float, last: float) -> float:
    return float(requests.sum() / (last - first) * PICOSECONDS)


@frozen(eq=False)
class _Part:
    """A class, or all requests: which requests are of it, and what they saw."""

    kind: RequestKind
    own: NDArray[np.bool_]
    seen: Seen

    @property
    def name(self) -> str:
        """The name of the class; that of no class is empty."""
        return self.kind.name if isinstance(self.kind, RequestClass) else ""


def _is_of_gaps(bound: Bound) -> bool:
    return bound.fact.startswith("itl.")


def _attainment(bound: Bound, seen: Statistics | None, share: float, name: str = "") -> Attainment:
    value = None if seen is None else float(getattr(seen, bound.fact.partition(".")[2]))
    return Attainment(
        fact=f"{name}.{bound.fact}" if name else bound.fact,
        objective=f"{name}: {bound.text}" if name else bound.text,
        limit=bound.value,
        seen=value,
        met=value is None or value <= bound.value,
        share=share,
    )


def widest(slo: Slo) -> dict[str, Seconds]:
    """Return the widest limit on each metric, which a single request is judged by."""
    limits: dict[str, Seconds] = {}
    for bound in slo.objectives:
        metric = bound.fact.partition(".")[0]
        limits[metric] = max(limits.get(metric, 0.0), bound.value)
    return limits


def _statistics(values: Floats) -> Statistics | None:
    """Return the statistics of requests that have a value."""
    return statistics_of(values[~np.isnan(values)])


def statistics_of(values: Floats) -> Statistics | None:
    """Return the statistics of values, None if there are none."""
    if not len(values):
        return None
    quantiles = np.quantile(values, _QUANTILES)
    return Statistics(float(values.mean()), *map(float, quantiles))


def statistics_of_gaps(gaps: Gaps) -> Statistics | None:
    """Return the statistics of gaps that are counted, as `statistics_of` would of all of them."""
    if not len(gaps.durations):
        return None
    seconds = gaps.durations / PICOSECONDS
    upto = np.cumsum(gaps.counts)
    total = int(upto[-1])
    places = np.array(_QUANTILES) * (total - 1)
    low = np.floor(places).astype(np.int64)
    high = np.minimum(low + 1, total - 1)
    below, above = (seconds[np.searchsorted(upto, at, side="right")] for at in (low, high))
    quantiles = below + (places - low) * (above - below)
    mean = float((seconds * gaps.counts).sum() / total)
    return Statistics(mean, *map(float, quantiles))
