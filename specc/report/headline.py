"""The recommendation in one sentence: what to deploy, what it carries, how far from its limits."""

from collections.abc import Iterator, Sequence

from attrs import evolve

from specc.ir import Slo
from specc.ir.load import LoadKind
from specc.report import format as show
from specc.report.odds import likely
from specc.report.packages import Packages, packages
from specc.report.study import ReportedStudy
from specc.results import CapacityFound, Configuration, Instance, KeptLimit, Simulated
from specc.units import counted


def sentence(study: ReportedStudy, best: Configuration) -> str:
    """Return the sentence on a recommended configuration."""
    wanted = _wanted(study, best)
    if wanted:
        return wanted
    deploy = (
        f"Deploy {best.model} as {what(study, best)}; {_carries(best)}{_latencies(study, best)}."
    )
    return f"{deploy}{_odds(best)}"


def _odds(best: Configuration) -> str:
    """Say how likely it is that all limits hold: all steps err together, so the least sure says."""
    known_ = [k.probability for k in best.slo if k.probability is not None]
    if not known_:
        return ""
    return f" The limits are {likely(min(known_))}."


def _wanted(study: ReportedStudy, best: Configuration) -> str:
    """Return the sentence where the study asks how many instances carry a rate; empty if not."""
    found = simulated(study, best)
    capacity = found.capacity if found is not None else None
    if capacity is None or capacity.wanted is None:
        return ""
    wanted = f"{show.quantity(capacity.wanted)} req/s"
    fleet = asked_fleet(study, best)
    if fleet is None:
        return f"No number of instances of {best.model} carries {wanted} within the limits."
    share = capacity.attainment_at_wanted
    seen = ", which was not checked by simulation"
    if share is not None:
        seen = f" with {show.attainment(share)} of the requests within every limit"
    verb = "carries" if fleet.instance_count == 1 else "carry"
    sure = capacity.probability_at_wanted
    odds = "" if sure is None else f" That is {likely(sure)}."
    return f"Deploy {best.model} as {what(study, fleet)}; {_it(fleet)} {verb} {wanted}{seen}.{odds}"


def asked_fleet(study: ReportedStudy, best: Configuration) -> Configuration | None:
    """Return the instances that carry the rate which a study asks about; None if there are none."""
    found = simulated(study, best)
    capacity = found.capacity if found is not None else None
    if capacity is None or capacity.wanted is None or capacity.instances is None:
        return None
    of = study.study.simulate.instances if study.study.simulate is not None else 1
    groups = tuple(evolve(g, count=g.count * capacity.instances // of) for g in best.instances)
    return evolve(best, instances=groups, devices=sum(g.all_devices for g in groups))


def asked_capacity(study: ReportedStudy, best: Configuration) -> CapacityFound | None:
    """Return the capacity where a rate is asked about, and what requests see at it is known."""
    found = simulated(study, best)
    capacity = found.capacity if found is not None else None
    return capacity if capacity is not None and capacity.at_wanted else None


def what(study: ReportedStudy, found: Configuration) -> str:
    """Say what a configuration consists of: its instances, layouts, dies, cards and servers."""
    packed = {p.device: p for p in packages(study.result, found)}
    groups = " and ".join(_group(g, packed[g.device].unit) for g in found.instances)
    sizes = "; ".join(_size(p, found) for p in packed.values())
    of = f"deployment {found.deployment}; " if study.several else ""
    return f"{groups} ({of}{sizes})"


def _size(packed: Packages, found: Configuration) -> str:
    alone = found.instance_count == 1 and packed.cards is not None
    return f"{packed.device}: {packed.packed if alone else packed.text}"


def _group(group: Instance, unit: str) -> str:
    phase = "" if group.phase == "whole" else f"{group.phase} "
    size = counted(group.devices, unit)
    return f"{counted(group.count, f'{phase}instance')} of {size} with {layout(group)}"


def layout(group: Instance) -> str:
    """Return a layout in words, without what is 1: `TP 4, DP 2`."""
    sizes = [part.strip().replace("=", " ") for part in group.parallel.split("|")]
    kept = [size for size in sizes if size not in ("PP 1", "DP 1")]
    return ", ".join(kept)


def _carries(best: Configuration) -> str:
    """Say which load the figures are for, and what is served of it."""
    served = f"{show.significant(best.throughput, throughput_digits(best))} tok/s"
    load = best.load
    if not best.simulated or load is None:
        return f"by closed form, without queueing, {_it(best)} {_verb(best)} {served}"
    they = _it(best)
    if load.clients is not None:
        return f"{counted(load.clients, 'client')} at a time get {served} of output"
    if load.rate is not None and load.kind == LoadKind.GIVEN.value:
        return f"at {show.quantity(load.rate)} req/s"
    if load.rate is not None:
        spare = sum(group.spare for group in best.instances)
        if spare:
            working = best.instance_count - spare
            verb = "carries" if working == 1 else "carry"
            are = "is" if spare == 1 else "are"
            rate = show.quantity(load.rate)
            return f"{working} of them {verb} {rate} req/s, {spare} {are} spare,"
        verb = "carry" if they == "they" else "carries"
        return f"{they} {verb} {show.quantity(load.rate)} req/s"
    return f"{they} {_verb(best)} {served}"


def _it(best: Configuration) -> str:
    return "it" if best.instance_count == 1 else "they"


def _verb(best: Configuration) -> str:
    return "serves" if best.instance_count == 1 else "serve"


def throughput_digits(best: Configuration) -> int:
    """Return the digits that the throughput of a configuration is worth."""
    bands = best.bands
    return show.digits_of(best.throughput, (bands.throughput_p10, bands.throughput_p90))


def under_given_load(found: Configuration) -> bool:
    """Say whether figures are of the load that a study gives, and not of the most that is kept."""
    return found.load is not None and found.load.kind == LoadKind.GIVEN.value


def capacity_text(found: CapacityFound) -> str:
    """Show the rate that a configuration carries, in the digits that it is worth."""
    assert found.rate is not None
    return f"{show.significant(found.rate, capacity_digits(found))} req/s"


def capacity_digits(found: CapacityFound) -> int:
    """Return the digits that the rate which a configuration carries is worth."""
    return show.digits_of(found.rate or 0.0, known((found.slow, found.fast)))


def _latencies(study: ReportedStudy, best: Configuration) -> str:
    """Say how far the latencies are from their limits, those of TTFT and TPOT first."""
    parts = list(_kept(best)) or list(_means(study.study.workload.common_slo, best))
    verb = "with" if best.feasible else "but"
    return f" {verb} {' and '.join(parts)}" if parts else ""


def _kept(best: Configuration) -> Iterator[str]:
    for metric in ("ttft", "tpot"):
        kept = nearest(best.slo, metric)
        if kept is not None and kept.value is not None:
            yield of_limit(kept)
    others = [k for k in best.slo if metric_of(k) not in ("ttft", "tpot") and k.value is not None]
    if others and not any(nearest(best.slo, metric) for metric in ("ttft", "tpot")):
        yield of_limit(min(others, key=margin))


def _means(slo: Slo, best: Configuration) -> Iterator[str]:
    bands = best.bands
    for name, value, limit, ends in (
        ("TTFT", best.ttft, slo.ttft, (bands.ttft_p10, bands.ttft_p90)),
        ("TPOT", best.tpot, slo.tpot, (bands.tpot_p10, bands.tpot_p90)),
    ):
        if value is not None:
            digits = show.digits_of(value, known(ends), limit)
            if limit is None:
                yield f"mean {name} {show.estimate(value, digits)}"
            else:
                yield f"mean {name} {beside(value, digits, limit)}"


def of_limit(kept: KeptLimit) -> str:
    """Say how far a statistic is from its limit: `TTFT p99 0.7 s of 2 s`."""
    assert kept.value is not None
    digits = show.digits_of(kept.value, interval(kept), kept.limit)
    missed = "" if kept.met else ", which is missed"
    return f"{title_of(kept.fact)} {beside(kept.value, digits, kept.limit)}{missed}"


def beside(value: float, digits: int, limit: float) -> str:
    """Show a time beside its limit: `48 of 50 ms`, `620 ms of 5 s`."""
    own, unit = show.estimate(value, digits).split(" ")
    whole = show.duration(limit)
    return f"{own} of {whole}" if whole.endswith(f" {unit}") else f"{own} {unit} of {whole}"


def title_of(fact: str) -> str:
    """Name a statistic: `mean TPOT`, `TTFT p99`, `TTFT p99 of chat`."""
    *of, metric, statistic = fact.split(".")
    name = show.limit_name(metric)
    name = f"mean {name}" if statistic == "mean" else f"{name} {statistic}"
    return " of ".join([name, *of])


def metric_of(kept: KeptLimit) -> str:
    """Return the metric of a limit, without class and statistic."""
    return kept.fact.split(".")[-2]


def nearest(limits: Sequence[KeptLimit], metric: str) -> KeptLimit | None:
    """Return the limit on a metric that holds least surely, or that is nearest."""
    own = [kept for kept in limits if metric_of(kept) == metric]
    return min(own, key=margin, default=None)


def margin(kept: KeptLimit) -> tuple[float, float]:
    """Order limits: those that hold least surely first, then those nearest to their values."""
    filled = 0.0 if kept.value is None else kept.value / kept.limit
    unknown = 0.5 if filled <= 1 else 0.0
    return (unknown if kept.probability is None else kept.probability, -filled)


def known(ends: tuple[float | None, float | None]) -> tuple[float, float] | None:
    """Return an interval; None if one of its ends is not known."""
    low, high = ends
    return None if low is None or high is None else (low, high)


def interval(kept: KeptLimit) -> tuple[float, float] | None:
    """Return the 80 % interval of the statistic of a limit; None where it is not known."""
    return known((kept.fast, kept.slow))


def simulated(study: ReportedStudy, best: Configuration) -> Simulated | None:
    """Return the simulation of the recommendation."""
    return study.simulations[0] if best.simulated and study.simulations else None
