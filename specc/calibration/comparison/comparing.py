"""From a load test and what served it to a comparison of the two."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import evolve

from specc.calibration.comparison.looks import Difference, looks_of, ratio
from specc.calibration.comparison.memory import logged_memory
from specc.calibration.comparison.sent import seeds_of
from specc.cost.times import P10, P90
from specc.loadtest import LoadTest
from specc.loadtest.base import METRICS
from specc.loadtest.logs import StartLog
from specc.results import BoundShares, Metrics
from specc.results.comparisons import Comparison, Figures, Range
from specc.run.evaluate import server_of
from specc.run.events import Events
from specc.run.subjects import Conditions, Simulator, Subject
from specc.units import Seconds

_STATISTICS = ("mean", "p50", "p90", "p95", "p99", "max")
# What clients of such tools add to TTFT beyond the server's own: 2 to 24 ms where six of them ran
# against a server of known step times.
CLIENT: Seconds = 0.024
_CLIENT_NOTE = (
    f"intervals of TTFT and latency have {1e3 * CLIENT:.0f} ms for the client at their end"
)


def measured_alone(
    test: LoadTest, notes: Iterable[str] = (), log: StartLog | None = None
) -> Comparison:
    """Return what was measured, with nothing beside it."""
    return Comparison(
        tool=test.tool,
        version=test.version,
        name=test.name,
        model=test.model,
        load=test.load.label,
        input=test.input.mean,
        output=test.output.mean,
        requests=test.requests,
        failed=test.failed,
        cancelled=test.cancelled,
        duration=test.duration,
        configuration="",
        measured=_measured(test),
        predicted={},
        interval={},
        memory=() if log is None else logged_memory(log, None),
        notes=(*test.notes, *_failures(test), *notes),
    )


def _failures(test: LoadTest) -> Iterator[str]:
    if test.failed:
        sent = test.requests + test.failed + (test.cancelled or 0)
        yield (
            f"{test.failed:,} of {sent:,} requests failed: all figures are of the others, and the "
            "load was less than it says"
        )


def _measured(test: LoadTest) -> Figures:
    found: dict[str, Mapping[str, float]] = {}
    for name in METRICS:
        own = test.metric(name)
        if own is not None and own.said:
            found[name] = own.said
    return {**found, "throughput": {"mean": test.throughput}, "rate": {"mean": test.rate}}


def compared(
    test: LoadTest,
    subject: Subject,
    notes: Iterable[str] = (),
    log: StartLog | None = None,
    advanced: Callable[[], None] = lambda: None,
) -> Comparison:
    """Return a test beside what the simulation says of its load.

    Args:
        test: what was measured.
        subject: what served it, under the load of the test.
        notes: what was assumed.
        log: of the start of an engine.
        advanced: told of each simulation.

    Raises:
        TooLongError: the load takes longer than can be simulated.
    """
    simulator = Simulator(subject, Events())
    seeds = seeds_of(subject.study.workload, subject.simulate, drafts=subject.drafts)
    runs = []
    for seed in seeds:
        runs.append(_simulated(simulator, Conditions(seed=seed)))
        advanced()
    usual = [_figures(run) for run in runs]
    ends = []
    if subject.server is None:
        for deviations in (P10, P90):
            at = Conditions(seed=seeds[0], deviations=deviations)
            ends.append(_figures(_simulated(simulator, at)))
            advanced()
    predicted = _means(usual)
    found = evolve(
        measured_alone(test, (*notes, *([_CLIENT_NOTE] if ends else []))),
        configuration=f"{subject.name}: {subject.layout}",
        predicted=predicted,
        interval=_intervals(predicted, usual, ends),
        memory=() if log is None else logged_memory(log, subject),
    )
    return evolve(found, looks=looks_of(found, _difference(found, subject, runs[0])))


def _simulated(simulator: Simulator, at: Conditions) -> Metrics:
    """Return what a run of all requests says, from the first one to the last token."""
    outcome = simulator.outcome(at)
    return outcome.metrics(simulator.subject.study.workload)


def _figures(metrics: Metrics) -> Figures:
    found: dict[str, Mapping[str, float]] = {}
    for name in METRICS:
        own = getattr(metrics, name)
        if own is not None:
            found[name] = {statistic: getattr(own, statistic) for statistic in _STATISTICS}
    rates = {"throughput": metrics.throughput, "rate": metrics.served}
    return {**found, **{name: {"mean": value} for name, value in rates.items()}}


def _means(runs: list[Figures]) -> Figures:
    return {
        metric: {
            statistic: math.fsum(run[metric][statistic] for run in runs) / len(runs)
            for statistic in of
        }
        for metric, of in runs[0].items()
        if all(metric in run for run in runs)
    }


def _intervals(
    predicted: Figures, runs: list[Figures], ends: list[Figures]
) -> Mapping[str, Mapping[str, Range]]:
    """Return where eight of ten runs lie: by the error of the cost model, and by chance.

    Both are independent, so their deviations add up in quadrature. A client adds its own time to
    TTFT.
    """
    if not ends and len(runs) == 1:
        return {}
    found: dict[str, dict[str, Range]] = {}
    for metric, of in predicted.items():
        for statistic, value in of.items():
            chance = _chance([run[metric][statistic] for run in runs if metric in run])
            low, high = chance, chance
            if ends and all(metric in end for end in ends) and value > 0:
                logs = [math.log(max(end[metric][statistic], 1e-12) / value) for end in ends]
                low = math.hypot(chance, min(0.0, *logs))
                high = math.hypot(chance, max(0.0, *logs))
            more = CLIENT if metric in ("ttft", "latency") else 0.0
            ends_of = (value * math.exp(-low), value * math.exp(high) + more)
            found.setdefault(metric, {})[statistic] = ends_of
    return found


def _chance(values: list[float]) -> float:
    """Return 1.28 standard deviations of the logarithm of values."""
    logs = [math.log(max(value, 1e-12)) for value in values]
    if len(logs) < 2:
        return 0.0
    mean = math.fsum(logs) / len(logs)
    return P90 * math.sqrt(math.fsum((x - mean) ** 2 for x in logs) / (len(logs) - 1))


def _difference(found: Comparison, subject: Subject, run: Metrics) -> Difference:
    def of(figures: Figures, metric: str, statistic: str = "mean") -> float | None:
        return figures.get(metric, {}).get(statistic)

    def more(metric: str) -> float:
        measured, predicted = of(found.measured, metric), of(found.predicted, metric)
        return math.nan if measured is None or predicted is None else measured - predicted

    def off(metric: str) -> float:
        if found.inside(metric) is not False:
            return 1.0
        return ratio(of(found.measured, metric), of(found.predicted, metric))

    def under_way(figures: Figures) -> float | None:
        rate, latency = of(figures, "rate"), of(figures, "latency")
        return None if rate is None or latency is None else rate * latency

    decode = _decode_bound(subject)
    tpot = of(found.predicted, "tpot") or math.nan
    ttft, queue = run.ttft, run.queue
    closed = subject.simulate.arrival.clients is not None
    return Difference(
        ttft=off("ttft"),
        tpot=off("tpot"),
        throughput=off("throughput"),
        more_ttft=more("ttft"),
        more_tpot=more("tpot"),
        step=tpot,
        decode=decode,
        queued=queue.mean / ttft.mean if queue and ttft and ttft.mean else 0.0,
        under_way=ratio(under_way(found.measured), under_way(found.predicted))
        if closed
        else math.nan,
        spread_ttft=ratio(of(found.measured, "ttft", "p99"), of(found.measured, "ttft", "p50")),
        drafts=subject.drafts,
        failed=(found.failed or 0) / (found.requests + (found.failed or 0)),
    )


def _decode_bound(subject: Subject) -> BoundShares | None:
    """Return what bounds the decode steps; None of a server whose steps were measured."""
    if subject.configuration is not None:
        return subject.configuration.instances[-1].point.decode
    if not subject.parts:
        return None
    part = subject.parts[-1]
    server = server_of(part.task)
    batch = min(part.batch, max(1, (subject.simulate.arrival.clients or 1) // server.batches))
    times = server.times(server.mixture.decode([batch], server.block, server.drafted))
    total = float(times.total[0])
    return BoundShares(
        **{name: float(getattr(times, name)[0]) / total for name in _BOUNDS},
    )


_BOUNDS = ("compute", "memory", "communication", "launch")
