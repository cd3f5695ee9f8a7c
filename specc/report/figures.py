"""The four figures of the first screen: the objective, TTFT, TPOT, and what breaks first."""

from collections.abc import Iterator

from attrs import evolve

from specc.ir import Objective
from specc.report import format as show
from specc.report.document import Figure, Odds
from specc.report.headline import (
    asked_capacity,
    capacity_digits,
    interval,
    known,
    margin,
    nearest,
    simulated,
    title_of,
    under_given_load,
)
from specc.report.odds import in_words, odds
from specc.report.packages import packages
from specc.report.study import ReportedStudy
from specc.report.words import capital
from specc.results import CapacityFound, Configuration, KeptLimit
from specc.units import counted


def figures(study: ReportedStudy, best: Configuration) -> tuple[Figure, ...]:
    """Return the figures of a recommended configuration."""
    asked = asked_capacity(study, best)
    shown = [_objective(study, best) if asked is None else _carried(asked)]
    limits = best.slo if asked is None else _at_wanted(asked)
    used = []
    for metric in ("ttft", "tpot"):
        kept = nearest(limits, metric)
        if kept is not None:
            used.append(kept)
            figure = of_limit(kept)
            shown.append(figure if asked is None else evolve(figure, note=_rate_of(asked)))
        else:
            shown += _mean(study, best, metric)
    others = [kept for kept in limits if not any(kept is one for one in used)]
    shown.append(_closest(study, best, others))
    return tuple(shown)


def _at_wanted(asked: CapacityFound) -> tuple[KeptLimit, ...]:
    """Return the limits as the instances that are asked about keep them, at the rate asked for."""
    return tuple(KeptLimit(a.fact, a.limit, a.seen, a.met) for a in asked.at_wanted)


def _rate_of(asked: CapacityFound) -> str:
    """Say which rate a figure is at: other parts of the report have that of the given load."""
    return f"at {show.quantity(asked.wanted or 0.0)} req/s"


def _carried(asked: CapacityFound) -> Figure:
    """Return the figure of a rate that was asked for, and of the instances that carry it."""
    assert asked.wanted is not None
    sure = asked.probability_at_wanted
    share = show.attainment(asked.attainment_at_wanted or 0.0)
    return Figure(
        title=f"Carried by {counted(asked.instances or 0, 'instance')}",
        value=show.quantity(asked.wanted),
        unit="req/s",
        probability="" if sure is None else in_words(sure),
        odds=odds(sure),
        note=f"with {share} of the requests within every limit, of {show.percent(asked.target)}",
    )


def of_limit(kept: KeptLimit) -> Figure:
    """Return the figure of a statistic that has a limit."""
    title, limit = capital(title_of(kept.fact)), show.duration(kept.limit)
    if kept.value is None:
        return Figure(title=title, value="–", limit=limit)
    ends = interval(kept)
    digits = show.digits_of(kept.value, ends, kept.limit)
    value, unit = show.estimate(kept.value, digits).split(" ")
    return Figure(
        title=title,
        value=value,
        unit=unit,
        limit=limit,
        interval="" if ends is None else times(ends, digits),
        probability="" if kept.probability is None else in_words(kept.probability),
        odds=odds(kept.probability) if kept.met else Odds.AGAINST,
        note="" if kept.met else "misses its limit",
        filled=filled(kept.value, kept.limit),
    )


def filled(value: float, limit: float) -> float:
    """Return how much of a limit is taken, in percent of at most all of it."""
    return round(min(100.0, 100 * value / limit), 1)


def times(ends: tuple[float, float], digits: int = 2) -> str:
    """Show an interval of times: `27 to 86 ms`."""
    low, high = (show.estimate(end, digits) for end in ends)
    number, unit = low.split(" ")
    return f"{number} to {high}" if unit == high.split(" ")[1] else f"{low} to {high}"


def rates(ends: tuple[float, float], unit: str, digits: int = 2) -> str:
    """Show an interval of rates in as many digits as what lies in it: `1,400 to 4,400 tok/s`."""
    low, high = (show.significant(end, digits) for end in ends)
    return f"{low} to {high} {unit}"


def _objective(study: ReportedStudy, best: Configuration) -> Figure:
    found = simulated(study, best)
    capacity = found.capacity if found is not None else None
    if under_given_load(best) and capacity is not None and capacity.rate is not None:
        return _capacity(capacity, best, study.study.workload.slo.confidence)
    match study.study.objective:
        case Objective.FEWEST_DEVICES:
            return _size(study, best)
        case Objective.THROUGHPUT_PER_COST if best.cost_per_million_tokens is not None:
            return _cost(best, best.cost_per_million_tokens)
        case Objective.THROUGHPUT_PER_DEVICE:
            return _throughput(best, 1 / best.devices, "per device", "tok/s a device")
        case _:
            return _throughput(best, 1.0, _served(best), "tok/s")


def _capacity(capacity: CapacityFound, best: Configuration, confidence: float | None) -> Figure:
    assert capacity.rate is not None
    ends = known((capacity.slow, capacity.fast))
    digits = capacity_digits(capacity)
    own = f"of {counted(best.instance_count, 'instance')}, " if best.instance_count > 1 else ""
    sure = f", with {show.percent(confidence)} confidence" if confidence else ""
    return Figure(
        title="Capacity",
        value=show.significant(capacity.rate, digits),
        unit="req/s",
        interval="" if ends is None or confidence else rates(ends, "req/s"),
        note=f"{own}at which {show.percent(capacity.target)} of the requests keep all limits{sure}",
    )


def _size(study: ReportedStudy, best: Configuration) -> Figure:
    packed = packages(study.result, best)
    said = "; ".join(p.text for p in packed)
    return Figure(title="Devices", value=show.integer(best.devices), note=said)


def _cost(best: Configuration, cost: float) -> Figure:
    # What a token costs falls as throughput rises.
    low, high = known((best.bands.throughput_p10, best.bands.throughput_p90)) or (0.0, 0.0)
    ends = None
    if low > 0:
        ends = (cost * best.throughput / high, cost * best.throughput / low)
    return Figure(
        title="Cost",
        value=show.significant(cost, show.digits_of(cost, ends)),
        unit=f"{best.currency}/Mtok",
        interval="" if ends is None else rates(ends, f"{best.currency}/Mtok"),
    )


def _served(best: Configuration) -> str:
    """Say how many of the requests that come are served where a load is given."""
    if not under_given_load(best) or not best.rate:
        return ""
    return f"{show.quantity(best.rate)} req/s served in the middle of the run"


def _throughput(best: Configuration, share: float, note: str, unit: str) -> Figure:
    value = best.throughput * share
    ends = (best.bands.throughput_p10 * share, best.bands.throughput_p90 * share)
    known_ends = ends if ends[0] < ends[1] else None
    digits = show.digits_of(value, known_ends)
    return Figure(
        title="Prompt throughput" if best.mode == "prefill_only" else "Output throughput",
        value=show.significant(value, digits),
        unit=unit,
        interval="" if known_ends is None else rates(known_ends, "tok/s", digits),
        note=note,
    )


def _mean(study: ReportedStudy, best: Configuration, metric: str) -> Iterator[Figure]:
    """Yield the mean of a metric without a limit, or with one that nothing simulated judged."""
    value = best.ttft if metric == "ttft" else best.tpot
    if value is None:
        return
    bands = best.bands
    ends = known(
        (bands.ttft_p10, bands.ttft_p90) if metric == "ttft" else (bands.tpot_p10, bands.tpot_p90)
    )
    slo = study.study.workload.common_slo
    limit = (slo.ttft if metric == "ttft" else slo.tpot) if not best.simulated else None
    digits = show.digits_of(value, ends, limit)
    number, unit = show.estimate(value, digits).split(" ")
    no_limit = "mean of all classes" if study.study.workload.classes else "no limit set"
    yield Figure(
        title=f"Mean {metric.upper()}",
        value=number,
        unit=unit,
        limit="" if limit is None else show.duration(limit),
        interval="" if ends is None else times(ends, digits),
        note=no_limit if limit is None else "",
        filled=None if limit is None else filled(value, limit),
    )


def _closest(study: ReportedStudy, best: Configuration, others: list[KeptLimit]) -> Figure:
    """Return what is nearest to breaking beside TTFT and TPOT: another limit, or the memory."""
    memory = _memory(study, best)
    if not others:
        return memory
    kept = min(others, key=margin)
    full = 0.0 if kept.value is None else 100 * kept.value / kept.limit
    unsure = kept.probability is not None and kept.probability < _UNSURE
    return of_limit(kept) if unsure or full >= (memory.filled or 0.0) else memory


_UNSURE = 0.9  # less is nearer to breaking than memory, which is counted


def _memory(study: ReportedStudy, best: Configuration) -> Figure:
    """Return the memory of the fullest device."""
    sizes = {instance.device.name: instance.memory for instance in study.study.instances}
    group = min(best.instances, key=lambda g: g.memory.available)
    total = sizes[group.device]
    used = total - group.memory.available
    whose = f" of {group.phase}" if len(best.instances) > 1 else ""
    return Figure(
        title=f"Memory of a device{whose}",
        value=show.significant(used / 2**30),
        unit="GiB",
        limit=show.size(total),
        note=f"{show.size(group.memory.available)} free",
        filled=filled(used, total),
    )
