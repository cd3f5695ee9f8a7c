"""Answers: instances put together into what a deployment serves.

An answer is one group of like instances, or a group that prefills and one that decodes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from specc.ir import Bound, Deployment, Device, Fleet, Mode, Objective, Phase, Slo, Workload
from specc.plan.evaluate import Evaluated
from specc.plan.results import Answer, Band, Group, Point
from specc.search import ROW_FACTS, Miss, bound_excess
from specc.serving import BinRow, StepLoop, transfer_time
from specc.serving.transfer import link_rate, slower_link
from specc.units import Seconds

MOST_ANSWERS = 12  # answers of a deployment with two phases that are listed
Column = NDArray[np.floating[Any]]


@frozen
class Split:
    """Instances that prefill and instances that decode, spares aside, and what they serve."""

    prefill: int
    decode: int
    rate: float


@frozen(eq=False)
class _Pair:
    """A prefill and a decode candidate at their best batch sizes, and the fleet they make.

    Its attributes carry the names of facts, so that limits on answers can be judged on it.
    """

    prefill: Evaluated
    decode: Evaluated
    rows: tuple[int, int]
    transfer: Seconds
    split: Split
    devices: int
    instances: int
    rate: float
    ttft: Seconds
    tpot: Seconds
    throughput: float
    throughput_per_device: float
    cost_per_second: float | None
    cost_per_million_tokens: float | None
    energy_per_thousand_tokens: float | None
    bottleneck: str = ""


def answers(
    deployment: Deployment, workload: Workload, evaluated: Sequence[Evaluated]
) -> tuple[list[Answer], int]:
    """Return the answers of a deployment, the best first, and how many more there are.

    Of pairs, those are listed that are the best with their prefill or with their decode instances.
    """
    bounds, objective = deployment.search.limits, deployment.objective
    if len(deployment.mode.phases) == 1:
        found = [_single(deployment, e) for e in evaluated if e.candidate.feasible]
        judged = [evolve(a, misses=(*a.misses, *_misses(a, bounds))) for a in found]
        return ranked(judged, objective), 0
    slo = workload.slo
    pairs = [(p, _pair_misses(p, deployment, slo)) for p in _pairs(deployment, workload, evaluated)]
    pairs.sort(key=lambda pair: rank_of(pair[0], pair[1], objective))
    listed = _telling(pairs)[:MOST_ANSWERS]
    built = [evolve(_paired(deployment, pair), misses=misses) for pair, misses in listed]
    return built, len(pairs) - len(built)


Judged = tuple[_Pair, tuple[Miss, ...]]


def _telling(pairs: Sequence[Judged]) -> list[Judged]:
    """Keep a pair if it is the first with its prefill or with its decode instances."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for pair, misses in pairs:
        sides = {("prefill", pair.prefill.candidate.task), ("decode", pair.decode.candidate.task)}
        if sides - seen:
            kept.append((pair, misses))
            seen |= sides
    return kept


def ranked(found: Sequence[Answer], objective: Objective) -> list[Answer]:
    """Order answers, the best first."""
    return sorted(found, key=lambda answer: rank_of(answer, answer.misses, objective))


def rank_of(
    answer: "Answer | _Pair", misses: tuple[Miss, ...], objective: Objective
) -> tuple[float, ...]:
    """Return the place of an answer: feasible ones by the falling objective, then the others.

    Ties go to fewer devices, then to the shorter latencies; what misses a limit goes by how far.
    """
    if misses:
        return 1.0, max(miss.excess for miss in misses)
    value = float(f"{objective_of(answer, objective):.9g}")
    return 0.0, -value, answer.devices, -answer.throughput, answer.tpot or 0.0, answer.ttft or 0.0


def objective_of(answer: "Answer | _Pair", objective: Objective) -> float:
    """Return what an answer is ranked by; more is better."""
    match objective:
        case Objective.THROUGHPUT_PER_DEVICE:
            return answer.throughput_per_device
        case Objective.THROUGHPUT_PER_COST:
            assert answer.cost_per_second is not None
            return answer.throughput / max(answer.cost_per_second, 1e-30)
        case Objective.FEWEST_DEVICES:
            return float(-answer.devices)
        case _:
            return answer.throughput


def _single(deployment: Deployment, evaluated: Evaluated) -> Answer:
    row = evaluated.found.best
    assert row is not None
    point, fleet = evaluated.point(row), deployment.fleet
    count, spare = 1, 0
    misses: tuple[Miss, ...] = ()
    if fleet is not None:
        count, misses = _instances(fleet, deployment.size, point.rate)
        spare = fleet.spare
    group = _group(evaluated, point, count, spare)
    rate = (count - spare) * point.rate
    throughput = (count - spare) * point.throughput
    answer = _answer(deployment, (group,), rate, throughput, point.ttft, point.tpot)
    return evolve(answer, misses=misses)


def _instances(fleet: Fleet, size: int, rate: float) -> tuple[int, tuple[Miss, ...]]:
    """Return how many instances a fleet has, spares included, and what it misses."""
    room = fleet.devices // size if fleet.devices is not None else None
    if fleet.rate is None:
        assert room is not None
        return max(room, 1 + fleet.spare), ()
    count = math.ceil(fleet.rate / rate - 1e-9) + fleet.spare
    if room is None or count <= room:
        return count, ()
    assert fleet.devices is not None
    needed = float(count * size)
    return count, (Miss("devices", needed, fleet.devices, needed / fleet.devices - 1),)


def _pairs(
    deployment: Deployment, workload: Workload, evaluated: Sequence[Evaluated]
) -> Iterator[_Pair]:
    """Yield every prefill candidate with every decode candidate that keeps to the limits."""
    prefills = [e for e in evaluated if e.task.phase is Phase.PREFILL and e.candidate.feasible]
    decodes = [_Decoding(e) for e in evaluated if e.task.phase is Phase.DECODE]
    for prefill in prefills:
        row = prefill.found.best
        assert row is not None
        step = float(prefill.found.table.prefill_step[row])
        rate = float(prefill.found.table.rate[row])
        for decoding in decodes:
            decode = decoding.evaluated
            slower = slower_link(prefill.task.deployment.device, decode.task.deployment.device)
            moving = transfer_time(deployment.transfer, prefill.server, decode.server, slower, step)
            best = decoding.best(workload.slo.tpot, moving)
            if best is None:
                continue
            sizes = prefill.task.deployment.size, decode.task.deployment.size
            links = [link_rate(deployment.transfer, e.server, slower) for e in (prefill, decode)]
            own = rate, float(decode.found.table.rate[best])
            rates = min(own[0], links[0]), min(own[1], links[1])
            for split in _splits(deployment, sizes, rates):
                pair = _pair(deployment, (prefill, decode), (row, best), moving, split)
                yield evolve(pair, bottleneck=_bottleneck(split, own, rates))


def _bottleneck(split: Split, own: tuple[float, float], rates: tuple[float, float]) -> str:
    """Say what limits a pair: a phase, or the links between them."""
    whole = split.prefill * rates[0], split.decode * rates[1]
    side = 0 if whole[0] < whole[1] else 1
    return "transfer" if rates[side] < own[side] else ("prefill", "decode")[side]


def _pair(
    deployment: Deployment,
    sides: tuple[Evaluated, Evaluated],
    rows: tuple[int, int],
    transfer: Seconds,
    split: Split,
) -> _Pair:
    spare = deployment.fleet.spare if deployment.fleet else 0
    counts = split.prefill + spare, split.decode + spare
    sizes = [n * e.task.deployment.size for n, e in zip(counts, sides, strict=True)]
    each = list(zip(sizes, (e.task.deployment.device for e in sides), strict=True))
    cost, power = _total(each, _price), _total(each, _power)
    mixture = sides[1].server.mixture
    throughput = split.rate * mixture.mean_output
    return _Pair(
        prefill=sides[0],
        decode=sides[1],
        rows=rows,
        transfer=transfer,
        split=split,
        devices=sum(sizes),
        instances=sum(counts),
        rate=split.rate,
        ttft=float(sides[0].found.table.ttft[rows[0]]),
        tpot=float(sides[1].found.table.tpot[rows[1]]) + transfer / mixture.mean_steps,
        throughput=throughput,
        throughput_per_device=throughput / sum(sizes),
        cost_per_second=cost,
        cost_per_million_tokens=None if cost is None else cost / throughput * 1e6,
        energy_per_thousand_tokens=None if power is None else power / throughput * 1e3,
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


class _Decoding:
    """The rows of a decode candidate by rising TPOT, with the best rate up to each."""

    def __init__(self, evaluated: Evaluated) -> None:
        table = evaluated.found.table
        rows = np.flatnonzero(evaluated.found.feasible)
        self.evaluated = evaluated
        self.rows = rows[np.argsort(table.tpot[rows], kind="stable")]
        self.tpot = table.tpot[self.rows]
        rates = table.rate[self.rows]
        self.best_so_far = _running_argmax(rates)

    def best(self, limit: Seconds | None, transfer: Seconds) -> int | None:
        """Return the row with the highest rate whose TPOT keeps to the limit with the transfer.

        If none does it is the row with the shortest TPOT; None without any row.
        """
        if not len(self.rows):
            return None
        steps = self.evaluated.server.mixture.mean_steps
        allowed = np.inf if limit is None else limit - transfer / steps
        within = int(np.searchsorted(self.tpot, allowed, side="right"))
        return int(self.rows[self.best_so_far[within - 1] if within else 0])


def _running_argmax(values: Column) -> NDArray[np.int64]:
    """Return, for each place, the first place up to it with the largest value."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    largest = np.maximum.accumulate(values)
    risen = np.concatenate([[True], largest[1:] > largest[:-1]])
    return np.maximum.accumulate(np.where(risen, np.arange(len(values)), 0))


def _splits(
    deployment: Deployment, sizes: tuple[int, int], rates: tuple[float, float]
) -> Iterator[Split]:
    fleet = deployment.fleet
    if deployment.mode is Mode.DISAGGREGATED or fleet is None:
        yield Split(1, 1, min(rates))
    elif fleet.rate is not None:
        prefill, decode = (max(1, math.ceil(fleet.rate / rate - 1e-9)) for rate in rates)
        yield Split(prefill, decode, min(prefill * rates[0], decode * rates[1]))
    else:
        assert fleet.devices is not None
        split = best_split(fleet.devices - fleet.spare * sum(sizes), sizes, rates)
        if split is not None:
            yield split


def best_split(devices: int, sizes: tuple[int, int], rates: tuple[float, float]) -> Split | None:
    """Return the numbers of prefill and decode instances that serve most on so many devices.

    Maximises min(p · rate_p, d · rate_d) with p, d ≥ 1 and p · size_p + d · size_d ≤ devices;
    fewer devices on ties. None if not even one of each fits.
    """
    most = (devices - sizes[0]) // sizes[1]
    if most < 1:
        return None
    decode = np.arange(1, most + 1)
    prefill = (devices - decode * sizes[1]) // sizes[0]
    rate = np.minimum(prefill * rates[0], decode * rates[1])
    best = float(rate.max())
    # What exceeds the best rate is idle: take as few of each as reach it.
    fewest = [max(1, math.ceil(best / each - 1e-9)) for each in rates]
    return Split(fewest[0], fewest[1], min(fewest[0] * rates[0], fewest[1] * rates[1]))


def _paired(deployment: Deployment, pair: _Pair) -> Answer:
    spare = deployment.fleet.spare if deployment.fleet else 0
    points = pair.prefill.point(pair.rows[0]), pair.decode.point(pair.rows[1])
    groups = (
        _group(pair.prefill, points[0], pair.split.prefill + spare, spare),
        _group(pair.decode, points[1], pair.split.decode + spare, spare),
    )
    answer = _answer(deployment, groups, pair.rate, pair.throughput, pair.ttft, pair.tpot)
    extra = pair.transfer / pair.decode.server.mixture.mean_steps
    low, high = answer.bands.tpot_p10, answer.bands.tpot_p90
    assert low is not None
    assert high is not None
    bands = evolve(answer.bands, tpot_p10=low + extra, tpot_p90=high + extra)
    return evolve(answer, transfer=pair.transfer, bottleneck=pair.bottleneck, bands=bands)


def _pair_misses(pair: _Pair, deployment: Deployment, slo: Slo) -> tuple[Miss, ...]:
    misses = _misses(pair, deployment.search.limits)
    if slo.tpot is not None and pair.tpot > slo.tpot:
        misses = (Miss("tpot", pair.tpot, slo.tpot, pair.tpot / slo.tpot - 1), *misses)
    fleet = deployment.fleet
    if fleet is not None and fleet.devices is not None and pair.devices > fleet.devices:
        excess = pair.devices / fleet.devices - 1
        return Miss("devices", pair.devices, fleet.devices, excess), *misses
    return misses


def _group(evaluated: Evaluated, point: Point, count: int, spare: int) -> Group:
    candidate = evaluated.candidate
    names = ("phase", "device", "devices", "parallel", "tp", "pp", "dp", "cp", "ep")
    more = ("drafted", "chunk_budget", "stopped_by", "task")
    copied = {name: getattr(candidate, name) for name in (*names, *more)}
    return Group(**copied, count=count, spare=spare, point=point)


def _answer(
    deployment: Deployment,
    groups: tuple[Group, ...],
    rate: float,
    throughput: float,
    ttft: Seconds | None,
    tpot: Seconds | None,
) -> Answer:
    devices = sum(g.count * g.devices for g in groups)
    known = {
        i.device.name: i.device
        for phase in deployment.mode.phases
        for i in deployment.instances(phase)
    }
    each = [(g.count * g.devices, known[g.device]) for g in groups]
    cost, power = _total(each, _price), _total(each, _power)
    return Answer(
        deployment=deployment.name,
        mode=deployment.mode.value,
        model=deployment.model.name,
        quantisation=deployment.usual_format.value,
        groups=groups,
        devices=devices,
        instances=sum(g.count for g in groups),
        in_flight=(groups[-1].count - groups[-1].spare) * groups[-1].point.concurrency,
        rate=rate,
        ttft=ttft,
        tpot=tpot,
        throughput=throughput,
        throughput_per_device=throughput / devices,
        transfer=0.0,
        bottleneck="",
        bands=_bands(groups, throughput),
        available=min(g.point.memory.available for g in groups),
        available_at_end=min(g.point.memory.available_at_end for g in groups),
        cost_per_second=cost,
        cost_per_million_tokens=None if cost is None else cost / throughput * 1e6,
        energy_per_thousand_tokens=None if power is None else power / throughput * 1e3,
        currency=next((d.price.currency for d in known.values() if d.price), ""),
    )


def _bands(groups: tuple[Group, ...], throughput: float) -> Band:
    """Return the bands of an answer: the throughput moves with the phase that limits it."""
    first, last = groups[0].point, groups[-1].point
    limiting = min(groups, key=lambda g: (g.count - g.spare) * g.point.rate).point
    scale = throughput / limiting.throughput
    return Band(
        ttft_p10=first.bands.ttft_p10,
        ttft_p90=first.bands.ttft_p90,
        tpot_p10=last.bands.tpot_p10,
        tpot_p90=last.bands.tpot_p90,
        throughput_p10=limiting.bands.throughput_p10 * scale,
        throughput_p90=limiting.bands.throughput_p90 * scale,
    )


def _misses(answer: "Answer | _Pair", bounds: tuple[Bound, ...]) -> tuple[Miss, ...]:
    """Return what an answer misses of the limits on answers as a whole."""
    misses = []
    for bound in bounds:
        if bound.fact in ROW_FACTS:
            continue
        value = float(getattr(answer, bound.fact))
        excess = float(bound_excess(bound, np.array([value]))[0])
        if excess > 0:
            misses.append(Miss(bound.fact, value, bound.value, excess))
    return tuple(misses)


def detailed(answer: Answer, evaluated: dict[str, Evaluated]) -> Answer:
    """Return an answer with what each shape of request sees, and what ran in each step."""
    bins: tuple[BinRow, ...] = ()
    timeline = None
    for group in answer.groups:
        model = evaluated[group.task].model
        own = model.bins(group.point.batch)
        if group is answer.groups[-1] and len(answer.groups) == 2:
            extra = answer.transfer / model.server.mixture.mean_steps
            own = tuple(_with_ttft(row, first, extra) for row, first in zip(own, bins, strict=True))
        bins = own
        if isinstance(model, StepLoop):
            timeline = model.timeline(group.point.batch)
    return evolve(answer, bins=bins, timeline=timeline)


def _with_ttft(row: BinRow, first: BinRow, extra: Seconds) -> BinRow:
    tpot = None if row.tpot is None else row.tpot + extra
    return evolve(row, ttft=first.ttft, cached=first.cached, tpot=tpot)
