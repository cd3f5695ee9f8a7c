"""What a reviewer asks next: how sure, what breaks first, what it costs, what else, why so."""

import math
from collections.abc import Iterator

from specc.cost.models import assumed_kernels
from specc.ir import Deployment, Objective, Study
from specc.ir.load import LoadKind
from specc.report import format as show
from specc.report.charts.bars import BOUNDS
from specc.report.document import Finding
from specc.report.figures import rates
from specc.report.headline import (
    asked_capacity,
    asked_fleet,
    capacity_text,
    layout,
    margin,
    metric_of,
    of_limit,
    simulated,
    throughput_digits,
    title_of,
    under_given_load,
)
from specc.report.odds import SURE, likely
from specc.report.packages import packages
from specc.report.sections import classes
from specc.report.study import ReportedStudy
from specc.report.words import FACTORS, KNOWN_LIMITS, capital, limited_by
from specc.results import (
    CapacityFound,
    Configuration,
    Factor,
    Instance,
    Sensitivity,
    Turn,
    objective_of,
)
from specc.units import counted

WORTH_A_WORD = 0.01  # of the objective or of the cost
_SHOWN = 2  # inputs that the first screen names


def findings(study: ReportedStudy, best: Configuration) -> tuple[Finding, ...]:
    """Return what the first screen says beside its figures."""
    return tuple(
        Finding(title, text)
        for title, text in (
            ("How sure", " ".join(_sureness(study, best))),
            ("Load as given", _as_given(study, best)),
            ("Breaks first", " ".join(_breaks(study, best))),
            ("Requests", " ".join(_beyond(best))),
            ("Cost", " ".join(costs(study, best))),
            ("Runner-up", " ".join(_others(study, best))),
            ("What would change it", " ".join(_changes(study, best))),
            ("Rests on", " ".join(basis(study, best))),
        )
        if text
    )


def _as_given(study: ReportedStudy, best: Configuration) -> str:
    """Say what was simulated where the figures are of the rate that a study asks about."""
    if asked_capacity(study, best) is None or best.load is None or not best.load.rate:
        return ""
    limits = " and ".join(of_limit(kept) for kept in best.slo if kept.value is not None)
    own = counted(best.instance_count, "instance")
    known = [k.probability for k in best.slo if k.probability is not None]
    odds = f", {likely(min(known))}" if known else ""
    found = asked_capacity(study, best)
    most = ""
    if found is not None and found.rate is not None:
        most = f" They carry {capacity_text(found)}{_beside_load(best, found.rate)}."
    return f"{own} at {show.quantity(best.load.rate)} req/s with {limits}{odds}.{most}"


def _sureness(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    asked = asked_capacity(study, best)
    if asked is not None:
        yield from _sure_at_wanted(study, asked)
        return
    known = sorted((k for k in best.slo if k.probability is not None), key=margin)
    if known:
        first = known[0]
        assert first.probability is not None
        kernels = ""
        if first.of_kernels is not None and first.of_kernels - first.probability > WORTH_A_WORD:
            kernels = (
                f" ({show.probability(first.of_kernels)} if kernels alone erred, and the software "
                "did not)"
            )
        yield f"{capital(title_of(first.fact))} is {likely(first.probability)}{kernels}."
        others = [k for k in known[1:] if k.probability is not None]
        if others:
            said = ", ".join(
                f"{title_of(k.fact)} {show.probability(k.probability or 0.0)}" for k in others
            )
            yield f"{capital(said)}."
        if first.probability < SURE and study.study.workload.slo.confidence is None:
            yield "To plan for 90 %: slo { confidence = 90% }."
        short = [k for k in known if not k.met and k.value is not None and k.value <= k.limit]
        if short:
            names = " and ".join(title_of(kept.fact) for kept in short)
            yield f"For {names} that is less than the confidence that the spec asks for."
    elif best.slo or study.study.workload.common_slo.objectives:
        yield from _by_bands(study, best)
    bands = best.bands
    moves = best.load is None or best.load.rate is None
    if moves and bands.throughput_p10 < bands.throughput_p90:
        ends = (bands.throughput_p10, bands.throughput_p90)
        shown = rates(ends, "tok/s", throughput_digits(best))  # as the figure has it
        yield f"In 8 of 10 cases throughput is {shown}."


def _sure_at_wanted(study: ReportedStudy, asked: CapacityFound) -> Iterator[str]:
    """Say how surely instances carry the rate that a study asks about."""
    sure = asked.probability_at_wanted
    instances, wanted = counted(asked.instances or 0, "instance"), show.quantity(asked.wanted or 0)
    if sure is None:
        yield f"Not known for {instances} at {wanted} req/s."
        return
    yield f"That {instances} carry {wanted} req/s is {likely(sure)}."
    if sure < SURE and study.study.workload.slo.confidence is None:
        yield "They are the fewest. To plan for 90 %: slo { confidence = 90% }."


def _by_bands(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Say which limits the slow end of an interval is beyond, where nothing else is known."""
    slo, bands = study.study.workload.common_slo, best.bands
    pairs = (("TTFT", slo.ttft, bands.ttft_p90), ("TPOT", slo.tpot, bands.tpot_p90))
    beyond = [name for name, limit, end in pairs if limit and end and end > limit]
    if beyond:
        verb = "miss their limits" if len(beyond) > 1 else "misses its limit"
        yield f"At the slow end of its interval {' and '.join(beyond)} {verb}."
    if not best.simulated:
        yield "No probabilities: nothing was simulated, so nothing waited in a queue."


def _breaks(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    found = simulated(study, best)
    capacity = found.capacity if found is not None else None
    of_classes = classes.breaks_first(study, best)
    if of_classes:
        yield from of_classes
    elif capacity is not None and capacity.rate is not None and capacity.limiting:
        yield f"{_limit_text(capacity.limiting)}{_above(study, best, capacity)}."
    elif best.slo and any(k.value is not None for k in best.slo):
        first = min((k for k in best.slo if k.value is not None), key=margin)
        yield f"{capital(of_limit(first))}{_cause(best, metric_of(first))}."
    if not best.simulated:
        yield " ".join(_limiter(group, len(best.instances) > 1) for group in best.instances)
    elif best.capacity is not None and _kind(best) == LoadKind.RATE.value:
        most = f"{show.quantity(best.capacity)} req/s{_beside_load(best, best.capacity)}"
        yield f"In the median its limits hold up to {most}."


def _above(study: ReportedStudy, best: Configuration, capacity: CapacityFound) -> str:
    """Say above which rate a limit breaks, or that fewer instances break it."""
    assert capacity.rate is not None
    if asked_capacity(study, best) is None:
        return f", above {capacity_text(capacity)}{_beside_load(best, capacity.rate)}"
    instances = counted(capacity.instances or 0, "instance")
    return (
        f": {instances} are the fewest that keep it at {show.quantity(capacity.wanted or 0)} req/s"
    )


def _beyond(best: Configuration) -> Iterator[str]:
    """Say how many single requests are beyond a limit, though the limits hold."""
    attained = best.metrics.attainment if best.metrics is not None else None
    if best.simulated and attained is not None and attained < _NEARLY_ALL and best.slo:
        on_means = all(kept.fact.endswith(".mean") for kept in best.slo)
        why = ": the limits are on means" if on_means else ""
        yield f"{show.percent(1 - attained)} of single requests are beyond a limit{why}."


def _kind(best: Configuration) -> str:
    return "" if best.load is None else best.load.kind


_NEARLY_ALL = 0.995  # of the requests: fewer are worth a word


def _limit_text(text: str) -> str:
    """Show a limit as a spec has it in words: `TPOT p99 ≤ 50 ms`."""
    fact, operator, value = text.partition("<=")
    return f"{title_of(fact.strip())} ≤ {value.strip()}" if operator else text


def _cause(best: Configuration, metric: str) -> str:
    """Say what bounds the steps that a metric is made of."""
    group = best.instances[0] if metric == "ttft" else best.instances[-1]
    phase = "prefill" if metric == "ttft" else "decode"
    shares = getattr(group.point, phase, None)
    if shares is None or metric not in ("ttft", "tpot"):
        return ""
    parts = {name: getattr(shares, name) for name in BOUNDS}
    name = max(parts, key=lambda one: parts[one])
    words = {"memory": "memory bandwidth", "launch": "the host"}.get(name, name)
    return f"; {show.percent(parts[name])} of a {phase} step is {words}"


def _beside_load(best: Configuration, rate: float) -> str:
    offered = best.load.rate if best.load is not None else None
    if offered is None:
        return ""
    more = float(show.significant(rate).replace(",", "")) / offered - 1  # of what is shown
    side = "more" if more >= 0 else "less"
    return f", {show.percent(abs(more))} {side} than the load of {show.quantity(offered)} req/s"


def _limiter(group: Instance, several: bool) -> str:
    batch = f"{group.phase} batch" if several else "batch"
    if group.stopped_by == "waves":
        return f"A larger {batch} would only make requests wait."
    if group.stopped_by == "peak":
        return f"A larger {batch} serves less."
    limit = KNOWN_LIMITS.get(group.stopped_by) or limited_by(group.stopped_by)
    return f"The {batch} of {show.integer(group.point.batch)} is limited by {limit}."


def costs(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Yield what a configuration costs, as far as that is known, and what of it does nothing."""
    packed = packages(study.result, best)
    wanted = asked_fleet(study, best)
    if wanted is not None:
        packed = packages(study.result, wanted)
    yield f"{' and '.join(p.text for p in packed)}."
    money = money_of(best)
    unknown = [p.device for p in packed if not _has_price(study.study, p.device)]
    yield (
        f"{money}."
        if money
        else (
            f"In money not known: the spec gives no price of {' and '.join(unknown)} "
            "('price' in the block of a device)."
        )
    )
    if best.energy_per_thousand_tokens is not None:
        yield (
            f"{show.watt_hours(best.energy_per_thousand_tokens)} Wh a thousand tokens at the power "
            "of the devices under load."
        )
    yield from _idle(study, best if wanted is None else wanted)


def money_of(found: Configuration) -> str:
    """Say what a configuration costs, an hour and a token; nothing where that is not known."""
    if found.cost_per_second is None:
        return ""
    an_hour = f"{show.quantity(found.cost_per_second * 3600)} {found.currency} an hour"
    if found.cost_per_million_tokens is None:  # nothing is served
        return an_hour
    token = f"{show.quantity(found.cost_per_million_tokens)} {found.currency}"
    return f"{an_hour}, {token} a million output tokens"


def _has_price(study: Study, name: str) -> bool:
    return any(i.device.name == name and i.device.price is not None for i in study.instances)


def _idle(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Name devices that are paid for and do nothing."""
    deployment = study.study.deployment(best.deployment)
    most = deployment.fleet.devices if deployment.fleet is not None else None
    if most is not None and most > best.devices:
        yield f"{most - best.devices} of the {show.integer(most)} devices of the fleet stay idle."
    for packed in packages(study.result, best):
        if packed.free and packed.servers is not None:
            several = "its server" if packed.servers == 1 else f"{packed.servers} servers"
            units = counted(packed.free, packed.unit)
            yield (
                f"{units} of {several} stay free."
                if packed.free > 1
                else (f"{units} of {several} stays free.")
            )
    spare = sum(group.spare for group in best.instances)
    if spare:
        are = "is spare" if spare == 1 else "are spare"
        yield f"{counted(spare, 'instance')} {are}, for failures."


def _others(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Name the next best, and the cheapest one that the error of the cost model hides."""
    others = [c for c in study.result.configurations if c.feasible and c is not best]
    if not others:
        yield "No other configuration keeps the limits."
        return
    second = others[0]
    within = _is_within(study.study, best, second)
    hedge = (
        " That is within the prediction error: measure both before you decide." if within else ""
    )
    fewest = ""
    if under_given_load(best) and second.devices > best.devices:
        fewest = (
            " Of those that keep the limits under this load the one with fewest is recommended."
        )
    yield f"{_named(study, second)}: {_compared(study.study, best, second)}.{hedge}{fewest}"
    yield from _of_other_deployments(study, best, second, others)
    cheapest = _cheapest(study.study, best, others)
    if cheapest is not None and cheapest is not second:
        yield (
            f"Cheaper and within the prediction error: {_named(study, cheapest)}, "
            f"{_compared(study.study, best, cheapest)}."
        )


def _of_other_deployments(
    study: ReportedStudy, best: Configuration, second: Configuration, others: list[Configuration]
) -> Iterator[str]:
    """Name the best of each other deployment: a study asks which of them to take."""
    named = {best.deployment, second.deployment}
    firsts = [c for n, c in enumerate(others) if c.deployment not in
              named | {o.deployment for o in others[:n]}]  # fmt: skip
    for found in firsts[:_SHOWN]:
        yield f"{_named(study, found)}: {_compared(study.study, best, found)}."
    known_ = {c.deployment for c in others} | named
    without = [d.name for d in study.study.deployments if d.name not in known_]
    if without:
        yield f"{' and '.join(without)}: nothing that keeps the limits."


def _named(study: ReportedStudy, found: Configuration) -> str:
    asked = study.best is not None and asked_capacity(study, study.best) is not None
    groups = " + ".join(
        f"{'' if found.instance_count == 1 or asked else f'{g.count} × '}"
        f"{'' if g.phase == 'whole' else g.phase + ' '}{layout(g)}"
        for g in found.instances
    )
    return f"{found.deployment} with {groups}" if study.several else groups


def _compared(study: Study, best: Configuration, other: Configuration) -> str:
    """Say what another configuration serves, needs and costs beside the best."""
    said = []
    if _by_capacity(best, other):
        said.append(_change_of("capacity", _gain(study, best, other)))
    elif under_given_load(best):
        said += _attained(best, other)
    elif study.objective not in (Objective.FEWEST_DEVICES, Objective.THROUGHPUT_PER_COST):
        said.append(_change_of(objective_name(study.objective), _gain(study, best, other)))
    more = other.devices - best.devices
    if more:
        unit = _unit(study, best)
        said.append(f"{counted(abs(more), unit)} {'more' if more > 0 else 'fewer'}")
    elif study.objective is Objective.FEWEST_DEVICES:
        said.append("as many devices")
    cost = _cost_of(best, other)
    if cost is not None:
        what, ratio = cost
        said.append(_change_of(what, ratio - 1))
    return ", ".join(said) or "as good"


def _unit(study: Study, best: Configuration) -> str:
    """Return what one device of a configuration is called."""
    known = {i.device.name: i.device for i in study.instances}
    return "die" if known[best.instances[0].device].dies_per_card > 1 else "device"


def _by_capacity(best: Configuration, other: Configuration) -> bool:
    """Say whether a rate that each carries compares them."""
    under_rate = best.load is not None and best.load.rate is not None
    return under_rate and bool(best.capacity and other.capacity)


def _attained(best: Configuration, other: Configuration) -> Iterator[str]:
    """Say how many single requests keep their limits under a load that both serve."""
    shares = [None if c.metrics is None else c.metrics.attainment for c in (best, other)]
    if None not in shares and other.simulated:
        mine, theirs = (show.attainment(share or 0.0) for share in shares)
        yield f"{theirs} of single requests within every limit instead of {mine}"


def _change_of(what: str, change: float) -> str:
    if abs(change) < WORTH_A_WORD / 10:
        return f"the same {what}"
    return f"{show.percent(abs(change))} {'more' if change > 0 else 'less'} {what}"


def _gain(study: Study, best: Configuration, other: Configuration) -> float:
    if _by_capacity(best, other):
        return (other.capacity or 0.0) / (best.capacity or 1.0) - 1
    mine, theirs = (objective_of(c, study.objective) for c in (best, other))
    return theirs / mine - 1 if mine else 0.0


def _cost_of(best: Configuration, other: Configuration) -> tuple[str, float] | None:
    """Return what is compared, and the cost of another as a multiple of that of the best."""
    pairs = (
        ("cost a token", best.cost_per_million_tokens, other.cost_per_million_tokens),
        ("energy a token", best.energy_per_thousand_tokens, other.energy_per_thousand_tokens),
    )
    for name, mine, theirs in pairs:
        if mine and theirs and best.currency == other.currency:
            return name, theirs / mine
    return None


def _is_within(study: Study, best: Configuration, other: Configuration) -> bool:
    """Say whether the error of the cost model is larger than what one has over another."""
    if study.objective is Objective.FEWEST_DEVICES or under_given_load(best):
        return False
    bands = best.bands
    half = (bands.throughput_p90 - bands.throughput_p10) / 2 / (best.throughput or 1.0)
    return -_gain(study, best, other) < half


def _cheapest(
    study: Study, best: Configuration, others: list[Configuration]
) -> Configuration | None:
    """Return the cheapest configuration that may be as good; None if none costs less."""
    cheaper = [
        (ratio[1], n, c)
        for n, c in enumerate(others)
        if (ratio := _cost_of(best, c)) is not None
        and ratio[0].startswith("cost")
        and ratio[1] < 1 - WORTH_A_WORD
        and _is_within(study, best, c)
    ]
    return min(cheaper)[2] if cheaper else None


def objective_name(objective: Objective, best: Configuration | None = None) -> str:
    """Name what is ranked by, in the middle of a sentence."""
    if objective is Objective.FEWEST_DEVICES:
        return "devices"
    name = {
        Objective.THROUGHPUT_PER_DEVICE: "throughput per device",
        Objective.THROUGHPUT_PER_COST: "throughput per cost",
    }.get(objective, "throughput")
    given = best is not None and best.load is not None and best.load.rate is not None
    return f"{name} at full load" if given else name


def _changes(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Say what moves the decision most: inputs that help, and where another one is better."""
    found = study.result.sensitivity
    if found is None:
        return
    useful = [s for f in found.factors if (s := _helps(study.study, best, found, f))]
    yield from useful[:_SHOWN]
    turns = [(t, f) for f in found.factors for t in f.turns]
    turns.sort(key=lambda pair: abs(math.log(pair[0].times)))
    if turns:
        yield f"{capital(_turned(*turns[0]))}."
    elif len([c for c in study.result.configurations if c.feasible]) > 1:
        yield (
            "By closed form no other layout gets ahead from 20 % less to 25 % more of any input."
        )


def _helps(study: Study, best: Configuration, found: Sensitivity, factor: Factor) -> str:
    """Say what an input does for the objective where it helps by a tenth of it."""
    sides = (("less", factor.low), ("more", factor.high))
    known = [(side, value) for side, value in sides if value is not None]
    if found.objective == Objective.FEWEST_DEVICES.value:
        saved = [(side, round(found.base - value)) for side, value in known]
        side, count = max(saved, key=lambda pair: pair[1], default=("", 0))
        if count < 1:
            return ""
        return f"10 % {side} {_factor(study, factor, side)} saves {counted(count, 'device')}."
    gains = [(side, value / found.base - 1) for side, value in known]
    best_side, gain = max(gains, key=lambda pair: pair[1], default=("", 0.0))
    if gain < WORTH_A_WORD:
        return ""
    what = objective_name(study.objective, best)
    return (
        f"10 % {best_side} {_factor(study, factor, best_side)}: {show.percent(gain)} more {what}."
    )


def _factor(study: Study, factor: Factor, side: str) -> str:
    """Name an input; of a limit say what it would be."""
    name = FACTORS[factor.name]
    metric, _, kind = factor.name.partition("_")
    limit = getattr(study.workload.common_slo, metric, None) if kind == "limit" else None
    if limit is None:
        return name
    return f"{name} ({show.duration(limit * (1.1 if side == 'more' else 0.9))})"


def _turned(turn: Turn, factor: Factor) -> str:
    """Say where another configuration is better."""
    side = "more" if turn.times > 1 else "less"
    share = show.percent(abs(turn.times - 1))
    return f"with {share} {side} {FACTORS[factor.name]}, {turn.winner} is better"


def basis(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    """Say what the numbers rest on: the load, the kernels, the software."""
    load = best.load
    if best.simulated and load is not None and load.requests:
        yield f"{show.integer(load.requests)} simulated requests."
    else:
        yield "The closed form alone: no queue."
    deployment = study.study.deployment(best.deployment)
    for instance in _different(deployment):
        yield _kernels(instance)
    yield _software(deployment)


def _different(deployment: Deployment) -> list[Deployment]:
    own = (deployment.instances(phase)[0] for phase in deployment.mode.phases)
    return list({instance.device.name: instance for instance in own}.values())


def _kernels(instance: Deployment) -> str:
    data, device = instance.fitted, instance.device
    if data is None:
        return (
            f"A flat roofline of {device.name} (calibration = reference), fitted to nothing: its "
            "intervals are wide."
        )
    unknown = assumed_kernels(instance.model)
    assumed = f"; those for {' and '.join(unknown)} are assumed" if unknown else ""
    if data.device != device.name:
        return f"Kernels measured on {data.device}, scaled to {device.name}{assumed}."
    return f"Kernels measured on {device.name}{assumed}."


def _software(deployment: Deployment) -> str:
    instance = deployment.instances(deployment.mode.phases[-1])[0]
    engine, data = instance.engine, instance.fitted
    name = engine.software.value if engine.software else "no engine is named"
    if engine.software and engine.version:
        name += f" {engine.version}"
    if data is None or data.served is None:
        return f"Software: {name}; what a server adds to steps is not measured."
    _, rule = data.served.rule(
        engine.software.value if engine.software else "", engine.execution.value
    )
    met = show.percent(rule.fit.median_error)
    return f"Software: {name}; half of served runs that the fit did not see are off by over {met}."
