"""Configurations: instances put together into what a deployment serves.

A configuration has like instances, or some that prefill and some that decode.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from attrs import evolve, frozen

from specc.ir import Bound, Deployment, Device, Objective, Phase, Slo, Workload, facts
from specc.ir.facts import Fact
from specc.ir.json import rounded_float
from specc.plan import Task
from specc.results import (
    AnswerMetrics,
    Band,
    BinRow,
    ClosedFigures,
    Configuration,
    Instance,
    Load,
    Miss,
    Spread,
    StepParts,
    objective_of,
)
from specc.run.evaluate import Evaluated, point_at, serving_model_of
from specc.run.fleets import Split, fleet_size, splits
from specc.run.operators import step_parts
from specc.search.goals import bound_excess
from specc.serving import StepLoop
from specc.serving.transfer import CacheTransfer, link_rate, slower_link
from specc.units import Seconds

MOST_LISTED = 12  # configurations of a deployment with two phases


@frozen(eq=False)
class _Pair:
    """A prefill and a decode candidate at their best batch sizes, and the fleet they make.

    Its attributes carry the names of facts, so that limits on configurations can be judged on it.
    """

    prefill: Evaluated
    decode: Evaluated
    place: int
    transfer: Seconds
    split: Split
    devices: int
    instance_count: int
    rate: float
    ttft: Seconds
    tpot: Seconds
    throughput: float
    throughput_per_device: float
    cost_per_second: float | None
    cost_per_million_tokens: float | None
    energy_per_thousand_tokens: float | None
    bottleneck: str = ""


def configurations(
    deployment: Deployment, workload: Workload, evaluated: Sequence[Evaluated]
) -> tuple[list[Configuration], int]:
    """Return the configurations of a deployment, the best first, and how many more there are.

    Of pairs, those are listed that are the best with their prefill or with their decode instances.
    """
    objective = deployment.objective
    if len(deployment.mode.phases) == 1:
        found = [_single(deployment, e) for e in evaluated if e.candidate.feasible]
        kept = [evolve(c, misses=judged(deployment, c)) for c in found]
        return ranked(kept, objective), 0
    slo = workload.slo
    pairs = [(p, _pair_misses(p, deployment, slo)) for p in _pairs(deployment, workload, evaluated)]
    pairs.sort(key=lambda pair: rank_of(pair[0], pair[1], objective))
    listed = _telling(pairs)[:MOST_LISTED]
    built = [evolve(_paired(deployment, pair), misses=misses) for pair, misses in listed]
    return built, len(pairs) - len(built)


Judged = tuple[_Pair, tuple[Miss, ...]]


def _telling(pairs: Sequence[Judged]) -> list[Judged]:
    """Keep a pair if it is the first with its prefill or with its decode instances."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for pair, misses in pairs:
        sides = {("prefill", pair.prefill.task.key), ("decode", pair.decode.task.key)}
        if sides - seen:
            kept.append((pair, misses))
            seen |= sides
    return kept


def ranked(found: Sequence[Configuration], objective: Objective) -> list[Configuration]:
    """Order configurations, the best first."""
    return sorted(found, key=lambda found: rank_of(found, found.misses, objective))


def rank_of(
    found: "Configuration | _Pair", misses: tuple[Miss, ...], objective: Objective
) -> tuple[float, ...]:
    """Return the place of a configuration: feasible ones by the falling objective, then the others.

    Ties go to fewer devices, then to the shorter latencies; what misses a limit goes by how far.
    """
    if misses:
        return 1.0, max(miss.excess for miss in misses)
    value, throughput, tpot, ttft = (
        rounded_float(number)  # the last digits of sums are chance
        for number in (
            objective_of(found, objective),
            found.throughput,
            found.tpot or 0.0,
            found.ttft or 0.0,
        )
    )
    return 0.0, -value, found.devices, -throughput, tpot, ttft


def _single(deployment: Deployment, evaluated: Evaluated) -> Configuration:
    instance, fleet = evaluated.candidate.instance, deployment.fleet
    point = instance.point
    count, spare = instance.engine.per_device, 0
    if fleet is not None:
        count = fleet_size(fleet, instance.devices, point.rate, instance.engine.per_device)
        spare = fleet.spare
    instances = (evolve(instance, count=count, spare=spare),)
    rate = (count - spare) * point.rate
    throughput = (count - spare) * point.throughput
    return assembled(deployment, instances, rate, throughput, point.ttft, point.tpot)


def _pairs(
    deployment: Deployment, workload: Workload, evaluated: Sequence[Evaluated]
) -> Iterator[_Pair]:
    """Yield every prefill candidate with every decode candidate that meets the limits."""
    prefills = [e for e in evaluated if e.task.phase is Phase.PREFILL and e.candidate.feasible]
    decodes = [e for e in evaluated if e.decoding is not None]
    limit = workload.slo.tpot
    for prefill, decode in product(prefills, decodes):
        moving = cache_transfer(deployment, prefill, decode)
        moved = moving.time(prefill.candidate.input)
        assert decode.decoding is not None
        allowed = np.inf if limit is None else limit - moved / decode.mean_steps
        place = decode.decoding.place(allowed)
        sides = prefill, decode
        sizes = prefill.task.deployment.size, decode.task.deployment.size
        own = prefill.candidate.point.rate, decode.decoding.rate[place]
        links = [
            link_rate(moving.transfer, moving.slower, e.cache, e.candidate.input) for e in sides
        ]
        rates = min(own[0], links[0]), min(own[1], links[1])
        for split in splits(deployment, sizes, rates):
            pair = _pair(deployment, sides, place, moved, split)
            yield evolve(pair, bottleneck=_bottleneck(split, own, rates))


def cache_transfer(deployment: Deployment, prefill: Evaluated, decode: Evaluated) -> CacheTransfer:
    """Return how the cache of a prompt gets from instances that prefill to some that decode."""
    return CacheTransfer(
        transfer=deployment.transfer,
        slower=slower_link(prefill.task.deployment.device, decode.task.deployment.device),
        sender=prefill.cache,
        receiver=decode.cache,
        prefill=prefill.candidate.point.prefill_step or 0.0,
    )


def _bottleneck(split: Split, own: tuple[float, float], rates: tuple[float, float]) -> str:
    """Say what limits a pair: a phase, or the links between them."""
    whole = split.prefill * rates[0], split.decode * rates[1]
    side = 0 if whole[0] < whole[1] else 1
    return "transfer" if rates[side] < own[side] else ("prefill", "decode")[side]


def _pair(
    deployment: Deployment,
    sides: tuple[Evaluated, Evaluated],
    place: int,
    transfer: Seconds,
    split: Split,
) -> _Pair:
    spare = deployment.fleet.spare if deployment.fleet else 0
    counts = split.prefill + spare, split.decode + spare
    sizes = [n * e.task.deployment.size for n, e in zip(counts, sides, strict=True)]
    each = list(zip(sizes, (e.task.deployment.device for e in sides), strict=True))
    cost, power = _total(each, _price), _total(each, _power)
    prefill, decode = sides
    assert decode.decoding is not None
    throughput = split.rate * decode.candidate.output
    ttft = prefill.candidate.point.ttft
    assert ttft is not None
    return _Pair(
        prefill=prefill,
        decode=decode,
        place=place,
        transfer=transfer,
        split=split,
        devices=sum(sizes),
        instance_count=sum(counts),
        rate=split.rate,
        ttft=ttft,
        tpot=decode.decoding.tpot[place] + transfer / decode.mean_steps,
        throughput=throughput,
        throughput_per_device=throughput / sum(sizes),
        cost_per_second=cost,
        cost_per_million_tokens=_of_tokens(cost, throughput, 1e6),
        energy_per_thousand_tokens=_of_tokens(power, throughput, 1e3),
    )


def _price(device: Device) -> float | None:
    return device.price.per_second if device.price else None


def _power(device: Device) -> float | None:
    return device.power


def _total(
    devices: Sequence[tuple[int, Device]], value: Callable[[Device], float | None]
) -> float | None:
    """Return what so many devices of each kind come to, None if one of them does not say."""
    total = 0.0
    for count, device in devices:
        each = value(device)
        if each is None:
            return None
        total += count * each
    return total


def _paired(deployment: Deployment, pair: _Pair) -> Configuration:
    spare = deployment.fleet.spare if deployment.fleet else 0
    assert pair.decode.decoding is not None
    decoding = _at_batch(pair.decode, pair.decode.decoding.batch[pair.place])
    instances = (
        evolve(pair.prefill.candidate.instance, count=pair.split.prefill + spare, spare=spare),
        evolve(decoding, count=pair.split.decode + spare, spare=spare),
    )
    whole = assembled(deployment, instances, pair.rate, pair.throughput, pair.ttft, pair.tpot)
    extra = pair.transfer / pair.decode.mean_steps
    low, high = whole.bands.tpot_p10, whole.bands.tpot_p90
    assert low is not None
    assert high is not None
    bands = evolve(whole.bands, tpot_p10=low + extra, tpot_p90=high + extra)
    return evolve(whole, transfer=pair.transfer, bottleneck=pair.bottleneck, bands=bands)


def _at_batch(evaluated: Evaluated, batch: int) -> Instance:
    """Return the instance at a batch size that may be another than its best."""
    best = evaluated.candidate.instance
    if best.point.batch == batch:
        return best
    described = evaluated.task.deployment.engine.max_sequences
    engine = evolve(best.engine, max_sequences=described or batch)
    return evolve(best, point=point_at(evaluated.task, batch), engine=engine)


def _pair_misses(pair: _Pair, deployment: Deployment, slo: Slo) -> tuple[Miss, ...]:
    misses = _misses(deployment.search.limits, lambda fact: _of_pair(fact, pair, deployment))
    if slo.tpot is not None and pair.tpot > slo.tpot:
        misses = (Miss("tpot", pair.tpot, slo.tpot, pair.tpot / slo.tpot - 1), *misses)
    return *_too_many(deployment, pair.devices), *misses


def assembled(
    deployment: Deployment,
    instances: tuple[Instance, ...],
    rate: float,
    throughput: float,
    ttft: Seconds | None,
    tpot: Seconds | None,
) -> Configuration:
    """Return instances as a configuration that serves so much."""
    devices = sum(i.all_devices for i in instances)
    known = {i.device.name: i.device for i in deployment.all_instances}
    each = [(i.all_devices, known[i.device]) for i in instances]
    cost, power = _total(each, _price), _total(each, _power)
    last = instances[-1]
    return Configuration(
        deployment=deployment.name,
        mode=deployment.mode.value,
        model=deployment.model.name,
        quantisation=deployment.usual_format.value,
        instances=instances,
        devices=devices,
        in_flight=last.working * last.point.concurrency,
        rate=rate,
        ttft=ttft,
        tpot=tpot,
        throughput=throughput,
        throughput_per_device=throughput / devices,
        transfer=0.0,
        bottleneck="",
        bands=_bands(instances, throughput),
        available=min(i.point.memory.available for i in instances),
        available_at_end=min(i.point.memory.available_at_end for i in instances),
        cost_per_second=cost,
        cost_per_million_tokens=_of_tokens(cost, throughput, 1e6),
        energy_per_thousand_tokens=_of_tokens(power, throughput, 1e3),
        currency=next((d.price.currency for d in known.values() if d.price), ""),
    )


def _of_tokens(a_second: float | None, throughput: float, count: float) -> float | None:
    """Return what so many tokens take of something; None where it is not known, or none come.

    None come from instances that decode alone where all simulated outputs have one token.
    """
    return None if a_second is None or not throughput else a_second / throughput * count


def _bands(instances: tuple[Instance, ...], throughput: float) -> Band:
    """Return the bands of a configuration: throughput moves with the phase that limits it."""
    first, last = instances[0].point, instances[-1].point
    limiting = min(instances, key=lambda instance: instance.rate).point
    scale = throughput / limiting.throughput
    return Band(
        ttft_p10=first.bands.ttft_p10,
        ttft_p90=first.bands.ttft_p90,
        tpot_p10=last.bands.tpot_p10,
        tpot_p90=last.bands.tpot_p90,
        throughput_p10=limiting.bands.throughput_p10 * scale,
        throughput_p90=limiting.bands.throughput_p90 * scale,
    )


def _misses(bounds: tuple[Bound, ...], read: Callable[[Fact], Any]) -> tuple[Miss, ...]:
    """Return what is missed of the limits on configurations as a whole, by what facts are."""
    misses = []
    for bound in bounds:
        fact = facts.fact(bound.fact)
        if fact.row:  # the search has judged it
            continue
        value = float(read(fact))
        excess = float(bound_excess(bound, np.array([value]))[0])
        if excess > 0:
            misses.append(Miss(bound.fact, value, bound.value, excess))
    return tuple(misses)


def judged(deployment: Deployment, found: Configuration) -> tuple[Miss, ...]:
    """Return which limits on a whole configuration it misses, that on the fleet's devices too."""
    misses = _misses(deployment.search.limits, _reader(found))
    return *_too_many(deployment, found.devices), *misses


def _too_many(deployment: Deployment, devices: int) -> tuple[Miss, ...]:
    """Return by how much a configuration has more devices than its fleet may have."""
    most = deployment.fleet.devices if deployment.fleet is not None else None
    if most is None or devices <= most:
        return ()
    return (Miss("devices", float(devices), float(most), devices / most - 1),)


def _reader(found: Configuration) -> Callable[[Fact], Any]:
    return lambda fact: facts.value(fact.configuration, found)


def _of_pair(fact: Fact, pair: _Pair, deployment: Deployment) -> Any:
    """Return a fact of a pair; one that it does not count needs the whole configuration."""
    counted = isinstance(fact.configuration, str) and hasattr(pair, fact.configuration)
    return facts.value(fact.configuration, pair if counted else _paired(deployment, pair))


def unanswered(found: Configuration) -> Configuration:
    """Return a configuration with the figures of its closed form as its answer."""
    metrics = AnswerMetrics(
        ttft=None if found.ttft is None else Spread(found.ttft),
        tpot=None if found.tpot is None else Spread(found.tpot),
        itl=None,
        queue=None,
        latency=None,
        throughput=found.throughput,
        rate=found.rate,
        goodput=None,
        attainment=None,
    )
    load, figures = Load("none"), closed_figures(found)
    return evolve(found, load=load, metrics=metrics, closed_form=figures)


def closed_figures(found: Configuration, times: float = 1.0) -> ClosedFigures:
    """Return what the closed form says of a configuration that serves so many times as much."""
    return ClosedFigures(found.ttft, found.tpot, times * found.throughput, times * found.rate)


def detailed(found: Configuration, tasks: Mapping[str, Task]) -> Configuration:
    """Add what each shape of request sees, and what ran in each step."""
    bins: tuple[BinRow, ...] = ()
    timeline = None
    steps: list[StepParts] = []
    for instance in found.instances:
        model = serving_model_of(tasks[instance.task])
        steps += step_parts(tasks[instance.task], instance.point)
        own = model.bins(instance.point)
        if instance is found.instances[-1] and len(found.instances) == 2:
            extra = found.transfer / model.server.mixture.mean_steps
            own = tuple(_with_ttft(row, first, extra) for row, first in zip(own, bins, strict=True))
        bins = own
        if isinstance(model, StepLoop):
            timeline = model.timeline(instance.point.batch)
    return evolve(found, bins=bins, timeline=timeline, steps=tuple(steps))


def _with_ttft(row: BinRow, first: BinRow, extra: Seconds) -> BinRow:
    tpot = None if row.tpot is None else row.tpot + extra
    return evolve(row, ttft=first.ttft, cached=first.cached, tpot=tpot)
