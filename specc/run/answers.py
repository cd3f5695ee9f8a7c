"""Configurations as they are recommended: with figures that were simulated under their load."""

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
from attrs import evolve

from specc.ir import Objective
from specc.ir.load import LoadKind, fleet_rate
from specc.results import (
    AnswerClass,
    AnswerMetrics,
    Band,
    CapacityFound,
    Configuration,
    KeptLimit,
    Load,
    Metrics,
    Miss,
    Spread,
    Statistics,
)
from specc.run.confidence import QUANTILES, probability
from specc.run.configurations import assembled, closed_figures, judged
from specc.run.loads import Seen
from specc.run.subjects import Simulator
from specc.simulation.metrics import statistics_of
from specc.units import Seconds


def answered(
    simulator: Simulator,
    kind: LoadKind | None,
    seen: Seen,
    capacity: CapacityFound | None,
    further: tuple[Metrics, ...],
) -> Configuration:
    """Return a configuration with what was simulated of it.

    Args:
        simulator: of the configuration.
        kind: where its load comes from.
        seen: the conditions that were found, and what was simulated under them.
        capacity: the rate that it carries, where it was searched.
        further: what requests see if the cost model errs, with fast steps and with slow ones.
    """
    subject = simulator.subject
    planned = subject.configuration
    assert planned is not None
    deployment = subject.study.deployment(planned.deployment)
    metrics = answer_metrics(seen.metrics)
    instances = tuple(
        evolve(instance, count=count + instance.spare)
        for instance, count in zip(planned.instances, seen.counts, strict=True)
    )
    found = assembled(
        deployment,
        instances,
        rate=metrics.rate,
        throughput=metrics.throughput,
        ttft=_mean(metrics.ttft),
        tpot=_mean(metrics.tpot),
    )
    load = Load(
        kind=kind.value if kind is not None else "none",
        rate=simulator.source.rate,
        clients=seen.clients,
        requests=seen.metrics.requests,
    )
    whole = evolve(
        found,
        transfer=planned.transfer,
        bottleneck=planned.bottleneck,
        bins=planned.bins,
        timeline=planned.timeline,
        load=load,
        simulated=True,
        metrics=metrics,
        slo=_kept(simulator, seen, further),
        closed_form=closed_figures(planned, found.planned_rate / planned.planned_rate),
        capacity=None if capacity is None else capacity.rate,
        later_ttft=_later(simulator, seen),
        in_flight=_in_flight(load, seen.metrics),
        bands=_bands(found, planned, further),
    )
    rate = fleet_rate(subject.study, deployment)
    missed = () if kind is LoadKind.GIVEN or seen.holds else _missed(seen, rate, whole)
    return evolve(whole, misses=(*missed, *judged(deployment, whole)))


def answer_metrics(metrics: Metrics) -> AnswerMetrics:
    """Return what requests see, and what is served."""
    return AnswerMetrics(
        ttft=_spread(metrics.ttft),
        tpot=_spread(metrics.tpot),
        itl=_spread(metrics.itl),
        queue=_spread(metrics.queue),
        latency=_spread(metrics.latency),
        throughput=metrics.throughput,
        rate=metrics.served,
        goodput=metrics.goodput,
        attainment=metrics.attainment,
        classes=tuple(
            AnswerClass(
                name=one.name,
                ttft=_spread(one.ttft),
                tpot=_spread(one.tpot),
                queue=_spread(one.queue),
                latency=_spread(one.latency),
                goodput=one.goodput,
                attainment=one.attainment,
            )
            for one in metrics.classes
        ),
    )


def carried_rate(found: Configuration, objective: Objective) -> float | None:
    """Return what ranks a fleet by the rate that it carries; None where devices or cost do."""
    capacity = found.capacity
    if capacity is None:
        return None
    match objective:
        case Objective.THROUGHPUT:
            return capacity
        case Objective.THROUGHPUT_PER_DEVICE:
            return capacity / found.devices
        case Objective.THROUGHPUT_PER_COST:
            return capacity / max(found.cost_per_second or 0.0, 1e-30)
        case _:
            return None


def _later(simulator: Simulator, seen: Seen) -> Spread | None:
    """Return TTFT without the first requests of clients that begin all at once."""
    clients = seen.clients
    if clients is None or simulator.ramp(clients) or seen.metrics.ttft is None:
        return None
    values = seen.outcome.values("ttft")[clients:]
    return _spread(statistics_of(values[~np.isnan(values)]))


def _in_flight(load: Load, metrics: Metrics) -> int:
    """Return the mean number of requests in flight: the clients, or by Little's law."""
    if load.clients is not None:
        return load.clients
    latency = metrics.latency.mean if metrics.latency is not None else 0.0
    return round(metrics.served * latency)


def _mean(spread: Spread | None) -> Seconds | None:
    return None if spread is None else spread.mean


def _spread(seen: Statistics | None) -> Spread | None:
    if seen is None:
        return None
    return Spread(seen.mean, seen.p50, seen.p90, seen.p95, seen.p99, seen.max)


def _kept(simulator: Simulator, seen: Seen, further: tuple[Metrics, ...]) -> tuple[KeptLimit, ...]:
    """Return how the limits fare, and how surely where quantiles of the error were simulated."""
    kept = tuple(
        KeptLimit(o.fact, o.limit, o.seen, judged.met)
        for o, judged in zip(seen.metrics.objectives, seen.judged.objectives, strict=True)
    )
    if not further:
        return kept
    quantiles = sorted(
        [(0.0, seen.metrics), *zip(QUANTILES, further, strict=True)], key=itemgetter(0)
    )
    return tuple(
        _surely(simulator, limit, [(z, one.objectives[n].seen) for z, one in quantiles])
        for n, limit in enumerate(kept)
    )


def _surely(
    simulator: Simulator, kept: KeptLimit, values: list[tuple[float, Seconds | None]]
) -> KeptLimit:
    """Add how surely a limit is kept, by what is seen at quantiles of the error."""
    known = [(z, value) for z, value in values if value is not None]
    if len(known) < len(values):
        return kept
    return evolve(
        kept,
        probability=probability(known, kept.limit),
        of_kernels=probability(known, kept.limit, simulator.share_of_kernels),
        fast=known[0][1],
        slow=known[-1][1],
    )


def _bands(
    found: Configuration,
    planned: Configuration,
    further: tuple[Metrics, ...],
) -> Band:
    """Return the bands of what was simulated: simulated too, or as wide as the closed form's."""
    if further:
        ends = [answer_metrics(further[end]) for end in (0, -1)]
        ttft, tpot = (_ends(ends, name, getattr(found, name)) for name in ("ttft", "tpot"))
        # At a given rate the middle of a slower run may be of other requests, which have more: then
        # neither end is that of slow steps, and the figure itself may be one.
        middle = (end.throughput for end in ends)
        low, *_, high = sorted((*middle, found.throughput))
        return Band(*ttft, *tpot, throughput_p10=low, throughput_p90=high)
    of = planned.bands
    scale = found.throughput / planned.throughput
    return Band(
        ttft_p10=_scaled(of.ttft_p10, found.ttft, planned.ttft),
        ttft_p90=_scaled(of.ttft_p90, found.ttft, planned.ttft),
        tpot_p10=_scaled(of.tpot_p10, found.tpot, planned.tpot),
        tpot_p90=_scaled(of.tpot_p90, found.tpot, planned.tpot),
        throughput_p10=of.throughput_p10 * scale,
        throughput_p90=of.throughput_p90 * scale,
    )


def _ends(
    ends: Sequence[AnswerMetrics], name: str, seen: Seconds | None
) -> tuple[Seconds | None, Seconds | None]:
    """Return the mean of a metric with fast steps and with slow ones, the lower one first.

    What was seen without an error lies between them.
    """
    fast, slow = (_mean(getattr(end, name)) for end in ends)
    if fast is None or slow is None:
        return fast, slow
    known = [fast, slow] if seen is None else [fast, slow, seen]
    return min(known), max(known)


def _scaled(
    end: Seconds | None, simulated: Seconds | None, planned: Seconds | None
) -> Seconds | None:
    if end is None or simulated is None or not planned:
        return None
    return end * simulated / planned


def _limit_name(fact: str) -> str:
    """Return how a limit on a statistic is written: that on a mean of TTFT or TPOT without it."""
    metric, _, statistic = fact.partition(".")
    return metric if statistic == "mean" and metric in ("ttft", "tpot") else fact


def _missed(seen: Seen, rate: float | None, found: Configuration) -> tuple[Miss, ...]:
    """Return what a load that is not carried misses.

    If that is no objective, some requests are rejected at any load, or not all of a rate is served.
    """
    metrics = seen.judged
    missed = tuple(
        Miss(_limit_name(o.fact), o.seen, o.limit, o.seen / o.limit - 1)
        for o in metrics.objectives
        if not o.met and o.seen is not None
    )
    if missed:
        return missed
    if metrics.rejected:
        return (Miss("attainment", metrics.attainment, 1.0, 1 - metrics.attainment),)
    assert rate is not None
    return (Miss("rate", found.rate, rate, max(rate / max(found.rate, 1e-30) - 1, 1e-9)),)
