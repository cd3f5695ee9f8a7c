"""The simulation of a study: its load, and what it decides."""

from collections.abc import Iterator, Sequence

from specc.ir import MeasuredServer, Process, Routing, Simulate, Study
from specc.ir.load import LoadKind, why_unsimulated
from specc.ir.simulation import StepKind
from specc.report import format as show
from specc.report.charts.simulation import named
from specc.report.document import (
    Figure,
    Figures,
    Finding,
    Heading,
    Note,
    Odds,
    Remarks,
    ReportBlock,
    Text,
)
from specc.report.figures import rates
from specc.report.headline import capacity_digits, capacity_text
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, capital
from specc.results import CHECKED_SEEDS, Attainment, CapacityFound, Configuration, Simulated
from specc.units import counted

_ROUTERS = {Routing.ENGINE: "requests to data-parallel ranks by the balancer of vLLM 0.33"}
_STEEP = 0.05  # attainment lost by 5 % more load that is worth a warning


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the heading of the simulation, the load, and what it decides."""
    given = study.study.simulate is not None
    if not given and not study.simulations:
        return
    yield Heading(id=study.id("simulation"), text="Simulation", depth=study.summary)
    if not study.simulations:
        yield Note(
            id=study.id("not-simulated"),
            text=f"Not simulated: {NOTHING_FITS}.",
            depth=study.summary,
        )
        return
    if given:
        yield Text(id=study.id("load"), text=f"{load(study.study)}.", depth=study.summary)
        yield Remarks(
            id=study.id("simulated"),
            depth=study.summary,
            title=capital(headline(study)),
            remarks=tuple(_remarks(study)),
        )
    else:
        # What it decides stands at the head of the report.
        yield Text(id=study.id("load"), text=" ".join(_remarks(study)), depth=study.summary)


def server_card(study: ReportedStudy) -> Figures:
    """Return the first screen of a study of measured servers."""
    first, *others = study.simulations
    metrics = first.metrics
    served = f"{show.quantity(metrics.served)} requests a second served"
    tails = [t for name in ("ttft", "tpot") if (t := _tail(first, name)) is not None]
    seen = " and ".join(f"{f.title} {f.value} {f.unit}" for f in tails)
    chosen = f"Choose {first.name}" if others else first.name.capitalize()
    findings = [Finding("Runner-up", _beside(first, other)) for other in others[:1]]
    load_text = f"{load(study.study)}, with step times as they were measured."
    rate = Figure(
        title="Throughput", value=show.significant(metrics.throughput), unit="tok/s", note=served
    )
    return Figures(
        id=study.id("simulated"),
        good=study.result.feasible,
        headline=f"{chosen}: {served}{' with ' if seen else ''}{seen}.",
        figures=(rate, *tails, *map(_judged, metrics.objectives)),
        findings=(*findings, Finding("Rests on", load_text)),
    )


def _tail(simulated: Simulated, metric: str) -> Figure | None:
    value = simulated.metrics.statistic(f"{metric}.p99")
    if value is None:
        return None
    number, unit = show.duration(value).split(" ")
    return Figure(title=f"{metric.upper()} p99", value=number, unit=unit)


def _judged(one: Attainment) -> Figure:
    """Return the figure of an objective of a measured server."""
    return Figure(
        title=one.objective,
        value="–" if one.seen is None else show.duration(one.seen),
        limit=show.duration(one.limit),
        odds=None if one.met else Odds.AGAINST,
        note="" if one.met else "misses its limit",
    )


def _beside(first: Simulated, other: Simulated) -> str:
    """Say what another server does beside the first one."""
    parts = []
    for fact in ("ttft.p99", "tpot.p99"):
        mine, theirs = (s.metrics.statistic(fact) for s in (first, other))
        if mine and theirs:
            name = f"{fact[:4].upper()} p99"
            parts.append(f"{name} {show.duration(theirs)} instead of {show.duration(mine)}")
    rate = f"{show.quantity(other.metrics.served)} requests a second"
    return f"{other.name}: {rate}{', ' if parts else ''}{', '.join(parts)}."


def intervals(best: Configuration) -> str:
    """Say what the intervals of the first screen are of."""
    if best.load is not None and best.load.rate is not None:
        return (
            "80 % intervals are from errors of the cost model: all steps of the simulation faster, "
            "or slower, at the same load; see Accuracy."
        )
    return "80 % intervals are from errors of the cost model; see Accuracy."


def answered(study: ReportedStudy, best: Configuration) -> str:
    """Say in a sentence or two which load the figures of the recommendation are for."""
    found = best.load
    if found is None or not best.simulated:
        why = why_unsimulated(study.study, study.study.deployment(best.deployment))
        return f"Closed form, no queueing{': ' if why else ''}{why}."
    count = show.integer(found.requests or 0)
    if found.kind == LoadKind.GIVEN.value:
        return f"Simulated under the load that the study gives: {headline(study)}."
    if found.clients is not None:
        clients = counted(found.clients, "client")
        all_places = found.clients == best.instances[-1].places
        many = "as many as run at a time" if all_places else "as many as keep the limits"
        begin = "Start-up and drain are in the figures"
        if len(best.instances) > 1:
            begin = (
                "They begin at the rate of later requests; rates are of the time in which all are "
                "there"
            )
        return (
            f"Simulated with {clients}, {many}: each sends its next request when the last one is "
            f"done. {begin}; {count} requests.{_later(best)}"
        )
    return (
        f"Simulated with {count} requests that come at random (Poisson) at "
        f"{show.quantity(found.rate or 0.0)} req/s; checked with {CHECKED_SEEDS} seeds."
    )


def _later(best: Configuration) -> str:
    """Say what requests see after the first of each client, who begin all at once."""
    later, whole = best.later_ttft, best.metrics
    if later is None or later.p99 is None or whole is None or whole.ttft is None:
        return ""
    return (
        f" After the first request of each client, TTFT is {show.duration(later.mean)} in the mean "
        f"and {show.duration(later.p99)} at p99."
    )


def load(study: Study) -> str:
    """Say which requests come, and when."""
    simulate = study.simulate
    assert simulate is not None
    arrival = simulate.arrival
    count = simulate.count
    if arrival.trace is not None:
        speed = f", {simulate.speed:g} times as fast" if simulate.speed != 1 else ""
        failed = arrival.trace.omitted
        without = f" ({counted(failed, 'failed one')} without output left out)" if failed else ""
        requests = f"{show.integer(count)} requests of '{arrival.trace.file}'{without}{speed}"
    else:
        requests = f"{show.integer(count)} requests, {_process(simulate)}, seed {simulate.seed}"
    sessions = simulate.sessions
    if sessions is not None:
        requests += f"; sessions of {sessions.turns:g} turns {show.duration(sessions.gap)} apart"
        if sessions.system_prompt:
            requests += f", {show.integer(sessions.system_prompt)} tokens of system prompt"
    router = _ROUTERS.get(simulate.router, simulate.router.value.replace("_", " "))
    apart = any(len(deployment.mode.phases) > 1 for deployment in study.deployments)
    groups = counted(simulate.instances, "fleet" if apart else "instance")
    return f"{requests}; {groups}, {router}"


def _process(simulate: Simulate) -> str:
    arrival = simulate.arrival
    if arrival.clients is not None:
        think = f" and {show.duration(arrival.think)} more" if arrival.think else ""
        ramp = f", the first ones over {show.duration(arrival.ramp)}" if arrival.ramp else ""
        clients = counted(arrival.clients, "client")
        return f"{clients} that each send the next one when the last one is done{think}{ramp}"
    names = {
        Process.BURST: "all at once",
        Process.CONSTANT: "at even intervals",
        Process.POISSON: "Poisson",
        Process.GAMMA: f"gamma gaps (cv {arrival.cv:g})",
        Process.WEIBULL: f"Weibull gaps (cv {arrival.cv:g})",
    }
    name = names[arrival.process]
    if simulate.rates:
        rates = [point.rate for point in simulate.rates]
        low, high = show.quantity(min(rates)), show.quantity(max(rates))
        return f"{name}, at a rate between {low} and {high} req/s"
    return name if arrival.rate is None else f"{name} at {show.quantity(arrival.rate)} req/s"


def headline(study: ReportedStudy) -> str:
    """Say in a sentence whether the objectives are met, or up to which rate."""
    best, simulate = study.simulations[0], study.study.simulate
    name = f"{named(best)}: " if len(study.simulations) > 1 else ""
    found, metrics = best.capacity, best.metrics
    if found is not None:
        missed = "" if best.meets else "the simulated load does not meet all objectives; "
        instances = simulate.instances if simulate else 1
        each = best.devices // instances if study.study.deployments else 0
        several = study.best is not None and study.best.instance_count > instances
        what = "such fleet" if several else "instance"
        confidence = study.study.workload.slo.confidence
        sure = f", with {show.percent(confidence)} confidence" if confidence else ""
        return name + missed + _capacity_sentence(found, each, what, sure)
    if not metrics.objectives:
        return f"{name}{show.quantity(metrics.served)} requests a second served"
    # Limits on means can hold where many requests are beyond them.
    verdict = "all limits hold" if best.meets else "not all limits hold"
    return (
        f"{name}{verdict}; {show.attainment(metrics.attainment)} of single requests are within "
        f"every limit, {show.quantity(metrics.goodput)} of them a second"
    )


def _capacity_sentence(found: CapacityFound, devices: int, what: str, sure: str) -> str:
    """Say the capacity; `devices` are those of an instance, 0 for a measured server.

    What is simulated may be a fleet of instances: `what` names it. `sure` says with which
    confidence it holds, if one was asked for.
    """
    target = show.percent(found.target)
    if found.rate is None or found.low is None or found.high is None:
        return f"there is no rate at which {target} of the requests meet all objectives"
    interval = ""
    if found.seeds > 1:
        interval = (
            f" ({show.quantity(found.low)} to {show.quantity(found.high)} over {found.seeds} seeds)"
        )
    text = (
        f"{target} of the requests meet all objectives up to {capacity_text(found)}{interval}{sure}"
    )
    if found.wanted is not None:
        wanted = f"{show.quantity(found.wanted)} req/s"
        if found.instances is None:
            return f"{text}; no number of instances carries {wanted}"
        size = f" ({counted(found.instances * devices, 'device')})" if devices else ""
        carry = "carries" if found.instances == 1 else "carry"
        text += f"; {counted(found.instances, what)}{size} {carry} {wanted}"
    return text


def _remarks(study: ReportedStudy) -> Iterator[str]:
    shown, best = study.simulations, study.simulations[0]
    metrics = best.metrics
    if study.study.deployments:
        yield (
            f"The closed form selected {len(shown)} configurations; the simulation chose from "
            "these."
            if len(shown) > 1
            else "The closed form chose this configuration; the simulation checks it."
        )
    undone = metrics.requests - metrics.finished - metrics.rejected
    if undone:
        yield f"{counted(undone, 'request')} unfinished when the simulation ended, after 100 days."
    if metrics.rejected:
        yield (
            f"{counted(metrics.rejected, 'request')} rejected: longer than the KV cache or the "
            "engine allows. They count as missed."
        )
    if metrics.growing:
        yield (
            "The queue is still growing when the last request arrives: the load is above what is "
            "served, and the longer the simulation, the worse its percentiles."
        )
    if metrics.preemptions:
        yield f"{counted(metrics.preemptions, 'preemption')}: {_preempted(best)}."
    yield _utilisation(best)
    for server in study.study.servers:
        yield from _beyond(server, shown)
    if best.capacity is not None:
        yield from _capacity_remarks(study.study, best, best.capacity)
    yield from _estimates(best)


def _estimates(best: Simulated) -> Iterator[str]:
    parts = [
        f"{show.limit_name(e.fact)} {show.duration(e.fast)} to {show.duration(e.slow)}"
        for e in best.estimates
        if e.fast is not None and e.slow is not None
    ]
    if parts:
        yield (
            "80 % interval from errors of the cost model, if every step errs alike: "
            f"{', '.join(parts)}."
        )


def _preempted(best: Simulated) -> str:
    """Say what a preemption costs."""
    if any(limits.prefix_caching for limits in best.settings):
        again = "computed again what had been evicted from the prefix cache until they went on"
    else:
        again = "computed all their tokens again"
    return f"the KV cache was full, and the latest requests gave up their blocks and {again}"


def _utilisation(best: Simulated) -> str:
    """Say how full the engines were, how long the queue, how much of the cache was in use."""
    from specc.simulation.instances import is_unlimited  # something is simulated, or it stays out

    m = best.metrics
    if m.tpot is None and m.batch == 0:  # prompts alone
        waits = counted(m.most_waiting, "request")
        return f"Utilisation {show.percent(m.busy)}, longest queue of an engine {waits}."
    limit = show.integer(best.settings[-1].limit)
    batch = f"mean batch {show.quantity(m.batch)} of {limit}"
    queue = f"longest queue of an engine {counted(m.most_waiting, 'request')}"
    cache = (
        ""
        if all(map(is_unlimited, best.settings))
        else f", KV cache at most {show.percent(m.cache)} full"
    )
    if m.prefill_busy is not None:
        return (
            f"Utilisation of prefill {show.percent(m.prefill_busy)}, of decode "
            f"{show.percent(m.busy)}; {batch}, {queue}{cache}."
        )
    return f"Utilisation {show.percent(m.busy)}, {batch}, {queue}{cache}."


def _beyond(server: MeasuredServer, shown: Sequence[Simulated]) -> list[str]:
    """Say which steps were larger than the largest that was measured."""
    metrics = next(s.metrics for s in shown if s.name == server.name)
    ran = {StepKind.PREFILL: metrics.most_tokens, StepKind.DECODE: metrics.most_decoding}
    units = {StepKind.PREFILL: "new token", StepKind.DECODE: "sequence"}
    parts = []
    for kind, most in ran.items():
        measured = max(row.size for row in server.step_cost if row.step is kind)
        if most > measured:
            parts.append(
                f"{kind.value} steps of up to {counted(most, units[kind])}, measured up to "
                f"{show.integer(measured)}"
            )
    if not parts:
        return []
    return [f"{server.name} ran {' and '.join(parts)}: their times are extrapolated."]


def _capacity_remarks(study: Study, best: Simulated, found: CapacityFound) -> Iterator[str]:
    if found.rate is None:
        lost = best.metrics.rejected / best.metrics.requests
        if lost > 1 - found.target:
            yield f"{show.percent(lost)} of the requests are rejected at any rate."
        else:
            yield (
                "Even an engine with hardly any load misses an objective, or the simulation is too "
                "short to tell: check the limits, and simulate more requests."
            )
        return
    if found.short:
        yield (
            "Above this rate all requests arrive within the time of a few requests, so no queue "
            "can build up: so few requests cannot show a higher rate. Simulate more requests."
        )
    offered = best.metrics.rate
    if offered:
        yield (
            f"The simulated load of {show.quantity(offered)} req/s is "
            f"{show.percent(offered / found.rate)} of the capacity."
        )
    if found.limiting:
        yield f"What breaks first above it: {found.limiting}."
    if found.slow is not None and found.fast is not None:
        without = " without that confidence" if study.workload.slo.confidence else ""
        ends = rates((found.slow, found.fast), "req/s", capacity_digits(found))
        yield f"80 % interval of the capacity{without}, from errors of the cost model: {ends}."
    steep = found.steepness
    if steep is not None and steep > _STEEP:
        yield (
            f"Near saturation: with 5 % more load {show.percent(steep)} more of the requests miss "
            "an objective, and a cost-model error of 5 % has the same effect. Plan with a margin."
        )
    if found.seeds == 1:
        yield (
            "One search: a trace is deterministic."
            if study.simulate is not None and study.simulate.arrival.trace
            else "One search with one seed: another may differ by several percent."
        )
    yield from _checked(found)


def _checked(found: CapacityFound) -> Iterator[str]:
    """Say whether the wanted rate was simulated."""
    if found.wanted is not None and found.attainment_at_wanted is not None:
        yield (
            f"Checked by simulation: {counted(found.instances or 0, 'instance')} at "
            f"{show.quantity(found.wanted)} req/s reach an attainment of "
            f"{show.attainment(found.attainment_at_wanted)}."
        )
    elif found.wanted is not None and found.instances is not None:
        yield (
            f"Not checked by simulation at {show.quantity(found.wanted)} req/s: the simulated "
            "requests would end too soon, or arrive too rarely."
        )
