"""The recommendation: what to deploy, its figures, and what to know about it."""

from collections.abc import Callable, Iterator

from attrs import evolve

from specc.engines import engines_for, history_of
from specc.ir import Deployment, Device, Fleet, Objective, Phase, Slo, Software, Workload
from specc.ir.load import LoadKind
from specc.report import format as show
from specc.report.document import Figure, Figures, ReportBlock
from specc.report.relaxations import relaxations
from specc.report.sections import classes, simulation
from specc.report.study import ReportedStudy
from specc.report.words import NOTHING_FITS, excess_text, limited_by, miss_text
from specc.results import Configuration, Instance, KeptLimit, StudyResult, objective_of
from specc.units import counted

APART = 0.1  # of closed form and simulation, which is worth a word
_LIMITS = {
    "ttft": "TTFT",
    "tpot": "TPOT",
    "memory": "the memory of a device",
    "range": "the largest batch in the range",
    "max_sequences": "the engine's limit on sequences",
    "chunk_budget": "the chunk budget: each decoding sequence uses part of it in every step",
    "unknown": "a limit that was not probed",
}


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the card that a reader decides on."""
    card = _card(study)
    yield evolve(card, id=study.id("recommendation"), depth=study.summary)


def _card(study: ReportedStudy) -> Figures:
    result, best = study.result, study.best
    if study.study.servers:
        return evolve(simulation.card(study), remarks=tuple(_unmet(result)))
    if best is None:
        return _nothing(result)
    remarks = [simulation.answered(study, best), _arithmetic(best), *_unmet(result)]
    if not best.simulated:
        remarks.insert(2, _limiters(best))
    remarks += _packages(result, best)
    remarks += _sharing(best)
    remarks += _fleet_remarks(result, best)
    remarks += _launched_by(result, best)
    remarks += _caches(result.study.deployment(best.deployment), best)
    remarks += _beside(best)
    remarks += _runner_up(result, best)
    remarks += _two_kinds_of_tpot(result)
    remarks += _overflow(best)
    remarks += _at_risk(best, study.study.workload.common_slo)
    remarks += classes.breaks_first(study, best)
    remarks.append(_interval(best))
    return Figures(
        id="",
        good=True,
        title=best.layout,
        headline=_headline(best),
        figures=_figures(best, study.study.workload),
        remarks=tuple(remarks),
    )


def _launched_by(result: StudyResult, best: Configuration) -> list[str]:
    """Say which engines launch the layouts, where the spec names none."""
    deployment = result.study.deployment(best.deployment)
    said, phases = [], {}
    for phase, group in zip(deployment.mode.phases, best.instances, strict=True):
        instance = deployment.instances(phase)[0]
        software = instance.engine.software
        if software is not None:
            said += _counted_over_all(software, group)
        else:
            phases[phase] = engines_for(instance.device.vendor, group.layout)
    if len(set(phases.values())) == 1:
        return [*said, _launching("layout" if len(phases) == 1 else "layouts", phases.popitem()[1])]
    return said + [
        _launching(f"layout of the instances that {phase.value}", known)
        for phase, known in phases.items()
    ]


def _launching(what: str, known: tuple[Software, ...]) -> str:
    if known:
        return f"Engines that launch the {what}: {', '.join(each.value for each in known)}."
    return (
        f"No engine that specc knows launches the {what}; write engine {{ software = … }} to see "
        "the best that one launches."
    )


def _counted_over_all(software: Software, group: Instance) -> list[str]:
    """Say what the limit on sequences is where an engine counts those of all replicas."""
    called = history_of(software).counts_all
    if not called or group.layout.dp == 1:
        return []
    each = group.engine.max_sequences
    return [
        f"{software.value} counts sequences over all replicas: {called} = {group.layout.dp} × "
        f"{each} = {show.integer(group.layout.dp * each)}."
    ]


def _beside(best: Configuration) -> list[str]:
    """Set the closed form beside what was simulated, where both are about the same load."""
    planned, load = best.closed_form, best.load
    if not best.simulated or planned is None or load is None or _is_given(best):
        return []
    pairs: list[tuple[str, float, float, Callable[[float], str]]]
    pairs = [("throughput", planned.throughput, best.throughput, _tokens_a_second)]
    if load.kind == LoadKind.RATE.value:
        if best.capacity is None:
            return []
        pairs = [("rate it can serve", best.planned_rate, best.capacity, _requests_a_second)]
    elif not _places(best) and best.ttft is not None and planned.ttft is not None:
        pairs.append(("TTFT", planned.ttft, best.ttft, show.duration))
    comparable = load.kind == LoadKind.CLIENTS.value and not _places(best)
    if comparable and best.tpot is not None and planned.tpot is not None:
        pairs.append(("TPOT", planned.tpot, best.tpot, show.duration))
    said = ", ".join(f"{name} {text(value)}" for name, value, _, text in pairs)
    apart = [
        f"{name} by {show.percent(abs(simulated / value - 1))}"
        for name, value, simulated, _ in pairs
        if abs(simulated / value - 1) > APART
    ]
    places = "" if load.kind == LoadKind.RATE.value else _places(best)
    differs = f" It differs from the simulation: {', '.join(apart)}." if apart else ""
    return [f"Closed form, which ranks{places}: {said}.{differs}"]


def _places(best: Configuration) -> str:
    """Say for how many requests in flight the closed form is, if that is not the load."""
    last = best.instances[-1]
    flight = last.working * last.point.concurrency
    clients = best.load.clients if best.load is not None else None
    return "" if clients == flight else f" (with {counted(flight, 'request')} in flight)"


def _tokens_a_second(value: float) -> str:
    return f"{show.rate(value)} tok/s"


def _requests_a_second(value: float) -> str:
    return f"{show.quantity(value)} req/s"


def _unmet(result: StudyResult) -> list[str]:
    failed = sum(not verdict.met for verdict in result.verdicts)
    return [f"{failed} of {counted(len(result.verdicts), 'expectation')} not met."] * bool(failed)


def _headline(best: Configuration) -> str:
    devices = counted(best.devices, "device")
    if len({g.device for g in best.instances}) == 1:
        devices = f"{best.devices} × {best.instances[0].device}"
    several = len(best.instances) == 2
    what = f"{show.rate(best.throughput)} tok/s"
    if best.simulated:
        if best.mode == "prefill_only":
            return f"{devices}, prompts in steps of {_budget(best.instances[0])}: {what}"
        sizes = [g for g in best.instances if not (several and g.phase == "prefill")]
        size = counted(sizes[-1].engine.max_sequences, "sequence")
        side = " that decodes" if several else ""
        return f"{devices}, up to {size} on a replica{side}: {what}"
    batches = [f"batch {g.point.batch}" for g in best.instances]
    if several:
        batches = [f"{g.phase} batch {g.point.batch}" for g in best.instances]
    return f"{devices}, {', '.join(batches)} per replica: {what}"


def _interval(best: Configuration) -> str:
    bands = best.bands
    if best.load is not None and best.load.rate is not None:
        return (
            "80 % intervals are from errors of the cost model: all steps of the simulation faster, "
            "or slower, at the same load; see Accuracy."
        )
    return (
        f"80 % interval of the throughput, from errors of the cost model: "
        f"{show.rate(bands.throughput_p10)} to {show.rate(bands.throughput_p90)} tok/s "
        f"(± {show.percent(_half_width(best))}); see Accuracy."
    )


def _half_width(best: Configuration) -> float:
    """Half of the band of the throughput, relative to it; 0 where nothing is decoded."""
    if not best.throughput:
        return 0.0
    return (best.bands.throughput_p90 - best.bands.throughput_p10) / 2 / best.throughput


COIN_FLIP = 0.1  # about one half, within which a limit holds as often as not


def _at_risk(best: Configuration, slo: Slo) -> list[str]:
    """Say how surely limits hold, by all errors and by those of kernels alone.

    Where nothing was simulated for that, warn where the slow end of an interval is beyond a limit.
    """
    known = [k for k in best.slo if k.probability is not None and k.of_kernels is not None]
    if known:
        said = [f"By the error of the cost model {', '.join(map(_surely, known))}."]
        short = [k for k in known if not k.met and k.value is not None and k.value <= k.limit]
        if short:
            names = " and ".join(show.limit_name(kept.fact) for kept in short)
            verb = "keep their limits" if len(short) > 1 else "keeps its limit"
            said.append(f"{names} {verb}, but not with the confidence that the spec asks for.")
        return said
    pairs = (("TTFT", slo.ttft, best.bands.ttft_p90), ("TPOT", slo.tpot, best.bands.tpot_p90))
    beyond = [name for name, limit, end in pairs if limit and end and end > limit]
    if not beyond:
        return []
    return [
        f"If the cost model errs to the slow end of its interval, {' and '.join(beyond)} "
        f"{'miss their limits' if len(beyond) > 1 else 'misses its limit'}."
    ]


def _surely(kept: KeptLimit) -> str:
    assert kept.probability is not None
    assert kept.of_kernels is not None
    *of, metric, statistic = kept.fact.split(".")
    whose = " of ".join([f"the {statistic} {show.limit_name(metric)}", *of])
    flip = ": as good as a coin flip" if abs(kept.probability - 0.5) < COIN_FLIP else ""
    return (
        f"{whose} keeps its limit with "
        f"{show.probability(kept.probability)} ({show.probability(kept.of_kernels)} if only "
        f"kernels err){flip}"
    )


def _limiters(best: Configuration) -> str:
    return " ".join(_limiter(group, len(best.instances) > 1) for group in best.instances)


def _limiter(group: Instance, several: bool) -> str:
    batch = f"{group.phase} batch" if several else "batch"
    if group.stopped_by == "waves":
        return f"A larger {batch} would only make requests wait."
    if group.stopped_by == "peak":
        return f"A larger {batch} serves less."
    limit = _LIMITS.get(group.stopped_by) or limited_by(group.stopped_by)
    return f"{batch.capitalize()} is limited by {limit}."


def _arithmetic(best: Configuration) -> str:
    """Say what the devices add up to: instances, replicas, their sizes, requests in flight."""
    if len(best.instances) == 1 and best.instance_count == 1:
        return _group_arithmetic(best.instances[0])
    parts = []
    for group in best.instances:
        name = "instances" if group.count > 1 else "instance"
        phase = "" if group.phase == "whole" else f"{group.phase} "
        shared = group.engine.per_device
        sharing = f", {shared} of them on the same ones" if shared > 1 else ""
        parts.append(
            f"{group.count} {phase}{name} × {group.devices}{sharing} = {group.all_devices} "
            f"{group.device}"
        )
    each = " ".join(
        f"{'Each' if g.phase == 'whole' else 'A ' + g.phase} instance: {_group_arithmetic(g)}"
        for g in best.instances
    )
    return f"{' and '.join(parts)}. {each}"


def _packages(result: StudyResult, best: Configuration) -> list[str]:
    """Say how many cards and servers the devices are, where that is known."""
    known = {i.device.name: i.device for i in result.study.instances}
    said = []
    for name in dict.fromkeys(group.device for group in best.instances):
        device, groups = known[name], [group for group in best.instances if group.device == name]
        count = sum(group.all_devices for group in groups)
        cards = -(-count // device.dies_per_card)
        own = [counted(cards, "card")] if device.dies_per_card > 1 else []
        if device.cards_per_server is not None:
            fewest = -(-cards // device.cards_per_server)
            packed = sum(_servers(group, device) for group in groups)
            least = "at least " if packed != fewest else ""
            own.append(f"{least}{counted(max(fewest, 1), 'server')}")
        if own:
            said.append(f"{count} × {name} {'are' if count > 1 else 'is'} {' in '.join(own)}.")
    return said


def _servers(group: Instance, device: Device) -> int:
    """Return the servers of instances that are not spread over more of them than they must."""
    assert device.cards_per_server is not None
    places = device.cards_per_server * device.dies_per_card
    sets = group.all_devices // group.devices
    if group.devices >= places:
        return sets * -(-group.devices // places)
    return -(-sets // (places // group.devices))


def _budget(group: Instance) -> str:
    return counted(group.engine.chunk_budget, "token")


def _group_arithmetic(group: Instance) -> str:
    sizes = {"TP": group.layout.tp, "PP": group.layout.pp, "CP": group.layout.cp}
    each = " × ".join(f"{name} {n}" for name, n in sizes.items() if n > 1 or name == "TP")
    batch = group.engine.max_sequences
    stages = f", in {group.layout.pp} batches of {batch}" if group.layout.pp > 1 else ""
    flight = counted(batch * group.layout.pp, "request")
    if group.phase == "prefill":
        return (
            f"{group.devices} devices = {counted(group.layout.dp, 'replica')} × {each}, each with "
            f"{_budget(group)} of prompts in a step."
        )
    if group.layout.dp == 1:
        devices = counted(group.devices, "device")
        shape = f" ({each})" if each != f"TP {group.devices}" else ""
        return f"One replica of {devices}{shape} runs up to {flight} at a time{stages}."
    whole = show.integer(batch * group.layout.pp * group.layout.dp)
    return (
        f"{group.devices} devices = {group.layout.dp} replicas × {each}; each runs up to {flight} "
        f"at a time{stages}, {whole} in total."
    )


def _sharing(best: Configuration) -> list[str]:
    """Say what engines on one device were taken for."""
    shared = max(group.engine.per_device for group in best.instances)
    if shared == 1:
        return []
    return [
        f"{shared} engines share a device: steps are as long as if the others were always busy. "
        f"Alone they take between 1/{shared} of that and all of it; nothing was measured."
    ]


def _fleet_remarks(result: StudyResult, best: Configuration) -> list[str]:
    remarks = []
    fleet = result.study.deployment(best.deployment).fleet
    spare = next((g.spare for g in best.instances if g.spare), 0)
    if len(best.instances) == 2:
        remarks += _two_phases(best)
    if fleet is not None and fleet.rate is not None:
        remarks.append(_required(best, fleet, spare))
    if spare:
        kind = " of each kind" if len(best.instances) > 1 else ""
        verb = "fails" if spare == 1 else "fail"
        remarks.append(
            f"If {counted(spare, 'instance')}{kind} {verb}, the fleet still serves this rate: "
            "latencies are without spares."
        )
    return remarks


def _required(best: Configuration, fleet: Fleet, spare: int) -> str:
    """Say the rate that a fleet is for, and what it can carry."""
    share = f", {show.percent(fleet.headroom)} of headroom" if fleet.headroom else ""
    without = f" Without {'spares' if spare > 1 else 'the spare'}" if spare else ""
    subject = f"{without} the fleet" if spare else " The fleet"
    text = f"Required: {show.quantity(fleet.rate or 0.0)} req/s{share}."
    most = best.capacity if best.simulated else best.rate
    if most is None or fleet.rate is None:
        return text
    room = show.percent(most / fleet.rate - 1)
    kept = " within the limits" if best.slo else ""
    return f"{text}{subject} serves up to {show.quantity(most)} req/s{kept}, {room} more."


def _two_phases(best: Configuration) -> list[str]:
    first, last = best.instances
    rates = [group.rate for group in best.instances]
    text = (
        f"By closed form, prefill can take {show.quantity(rates[0])}, decode "
        f"{show.quantity(rates[1])} requests a second; "
    )
    if best.bottleneck == "transfer":
        text += (
            f"the links for the KV-cache transfer limit both to {show.quantity(_planned(best))}: "
            "add bandwidth before instances."
        )
    else:
        other = "decode" if rates[0] < rates[1] else "prefill"
        idle = 1 - min(rates) / max(rates)
        text += (
            f"{best.bottleneck} is the bottleneck, {other} is {show.percent(idle)} idle. One "
            f"decode instance keeps {show.quantity(last.point.rate / first.point.rate)} "
            "prefill instances busy."
        )
    moved = show.duration(best.transfer) if best.transfer else "no time"
    return [text, f"KV-cache transfer from prefill to decode: {moved} for a request."]


def _planned(best: Configuration) -> float:
    """Return the requests a second by closed form."""
    return best.rate if best.closed_form is None else best.closed_form.rate


def _two_kinds_of_tpot(result: StudyResult) -> list[str]:
    """Warn where the TPOT of some configurations includes prefill's share, of others not."""
    tasks = {c.instance.task: c for c in result.candidates}
    kinds = {
        tasks[g.task].method == "closed form" and g.phase == "whole"
        for configuration in result.configurations
        if not configuration.simulated
        for g in configuration.instances
        if g.phase != "prefill"
    }
    if len(kinds) < 2:
        return []
    return [
        "These configurations use two definitions of TPOT. The closed form includes TTFT, divided "
        "by the output tokens; step loops and separate phases do not. To compare them, set "
        "'scheduler' where the closed form is used."
    ]


def _runner_up(result: StudyResult, best: Configuration) -> list[str]:
    others = [c for c in result.configurations if c.feasible and c is not best]
    if not others:
        return ["No other configuration meets the limits."]
    second = others[0]
    objective = result.study.objective
    if _is_given(best):
        return []  # all serve the load that comes: the table of what was simulated compares them
    mine, theirs = objective_of(best, objective), objective_of(second, objective)
    where = f"{second.deployment}, " if len(result.study.deployments) > 1 else ""
    if objective is Objective.FEWEST_DEVICES:
        more = second.devices - best.devices
        less = f"{counted(more, 'device')} more" if more else "as many devices"
        return [f"Next best: {where}{second.layout}, {less}."]
    gap = 1 - theirs / mine if mine else 0.0
    less = f"{show.percent(gap)} less" if gap > 0 else "the same"
    what = objective.value.replace("_", " ")
    text = f"Next best: {where}{second.layout}, {less} {what}."
    if gap < _half_width(best):
        text += " This is within the error of the cost model: measure both before you decide."
    return [text]


def _caches(deployment: Deployment, best: Configuration) -> Iterator[str]:
    """Say what the KV cache of a replica holds, as engines do when they start."""
    for group in best.instances:
        memory = group.memory
        limit = deployment.instances(Phase(group.phase))[0].longest_request
        whose = f"the {group.phase} replica" if len(best.instances) > 1 else "a replica"
        holds = f"The KV cache of {whose} holds {show.integer(memory.cache_tokens)} tokens"
        if memory.cache_tokens < limit:
            yield (
                f"{holds}, and the model takes {show.integer(limit)}: start the engine with a "
                f"'max_model_length' of at most {show.integer(memory.longest_request)}."
            )
        else:
            times = f"{memory.cache_tokens / limit:,.3g}"
            yield f"{holds}, {times} × the limit of {show.integer(limit)} on a request."


def _overflow(best: Configuration) -> list[str]:
    short = best.available_at_end
    if short >= 0:
        return []
    return [
        f"If all requests reach the end of their output at the same time, they need "
        f"{show.size(-short)} more memory than a device has; an engine would preempt some."
    ]


def _figures(best: Configuration, workload: Workload) -> tuple[Figure, ...]:
    bands, slo = best.bands, workload.common_slo
    whose = "mean of all classes" if workload.classes else "mean, no limit set"
    per_device = f"{show.rate(best.throughput_per_device)} per device"
    what = " of prompts" if best.mode == "prefill_only" else ""
    figures = [Figure("Throughput", show.rate(best.throughput), "tok/s", per_device + what)]
    figures += _rate(best)
    for title, value, limit, band in (
        ("TTFT", best.ttft, slo.ttft, (bands.ttft_p10, bands.ttft_p90)),
        ("TPOT", best.tpot, slo.tpot, (bands.tpot_p10, bands.tpot_p90)),
    ):
        if value is not None:
            figures.append(_latency_figure(title, value, limit, band, _sure(best, title), whose))
    figures += [_tail(kept) for kept in best.slo if kept.fact not in ("ttft.mean", "tpot.mean")]
    reserved = max(g.point.memory.reserved for g in best.instances)
    note = f"per device, after {show.size(reserved)} reserved"
    figures.append(Figure("Free memory", show.gibibytes(best.available), "GiB", note))
    return (*figures, *_money(best))


def _rate(best: Configuration) -> list[Figure]:
    """Return the figure of the requests a second, where there is more than one instance."""
    offered = best.load.rate if best.load is not None else None
    if offered is not None:
        note = f"offered; {show.quantity(best.rate)} served while they come"
        return [Figure("Rate", show.quantity(offered), "req/s", note)]
    if best.instance_count == 1 and best.mode == "aggregated":
        return []
    planned = not best.simulated
    whose = "of the slower phase" if len(best.instances) > 1 and planned else "of the fleet"
    return [Figure("Rate", show.quantity(best.rate), "req/s", whose)]


def _is_given(best: Configuration) -> bool:
    return best.load is not None and best.load.kind == LoadKind.GIVEN.value


def _tail(kept: KeptLimit) -> Figure:
    """Return the figure of a limit on a statistic."""
    title = show.limit_name(kept.fact)
    if kept.value is None:
        return Figure(title, "–", "", f"limit {show.duration(kept.limit)}")
    number, unit = show.duration(kept.value).split(" ")
    filled = round(min(100, 100 * kept.value / kept.limit), 1)
    note = f"limit {show.duration(kept.limit)}{_holds_with(kept)}"
    return Figure(title, number, unit, note, filled)


def _sure(best: Configuration, title: str) -> str:
    """Say how surely the limit on the mean of a metric holds."""
    fact = f"{title.lower()}.mean"
    return next((_holds_with(kept) for kept in best.slo if kept.fact == fact), "")


def _holds_with(kept: KeptLimit) -> str:
    if kept.probability is None:
        return ""
    return f", holds with {show.probability(kept.probability)}"


def _money(best: Configuration) -> Iterator[Figure]:
    """Yield what a token costs, where it is known."""
    if best.cost_per_million_tokens is not None and best.cost_per_second is not None:
        yield Figure(
            "Cost",
            show.quantity(best.cost_per_million_tokens),
            f"{best.currency}/Mtok",
            f"{show.quantity(best.cost_per_second * 3600)} {best.currency} an hour",
        )
    if best.energy_per_thousand_tokens is not None:
        yield Figure(
            "Energy",
            show.watt_hours(best.energy_per_thousand_tokens),
            "Wh/ktok",
            "at the power of the devices under load",
        )


def _latency_figure(
    title: str,
    value: float,
    limit: float | None,
    band: tuple[float | None, float | None],
    sure: str,
    unlimited: str,
) -> Figure:
    number, unit = show.duration(value).split(" ")
    interval = _range(band)
    if limit is None:
        return Figure(title, number, unit, f"{unlimited}{interval}")
    return Figure(
        title,
        number,
        unit,
        f"mean, limit {show.duration(limit)}{sure}{interval}",
        round(min(100, 100 * value / limit), 1),
    )


def _range(band: tuple[float | None, float | None]) -> str:
    low, high = band
    if low is None or high is None:
        return ""
    return f"; 80 % interval {show.duration(low)} to {show.duration(high)}"


def _nothing(result: StudyResult) -> Figures:
    """Say that nothing is feasible, what is nearest, and what would make it feasible."""
    several = len(result.study.deployments) > 1
    missed = [c for c in result.configurations if not c.feasible]
    if missed:
        nearest = missed[0]
        misses = ", ".join(miss_text(miss) for miss in nearest.misses)
        where = f"{nearest.deployment}, " if several else ""
        text = f"The nearest is {where}{nearest.layout}: {misses}."
    else:
        text = _nearest_candidate(result, several)
    remarks = [text]
    relaxed = relaxations(result)
    if relaxed:
        first = relaxed[0]
        remarks.append(
            f"With {show.limit_name(first.miss.limit)} at "
            f"{show.fact(first.miss.limit, first.miss.value)} ({excess_text(first.miss)}) and "
            f"all else unchanged, {first.where} is feasible."
        )
    headline = NOTHING_FITS[0].upper() + NOTHING_FITS[1:]
    return Figures(id="", good=False, headline=headline, remarks=tuple(remarks))


def _nearest_candidate(result: StudyResult, several: bool) -> str:
    """Say what is nearest; where phases are apart, of the phase that has nothing feasible."""
    phases = dict.fromkeys(c.phase for c in result.candidates)
    feasible = {c.phase for c in result.candidates if c.feasible}
    short = [phase for phase in phases if phase not in feasible]
    nearest = next(
        (c for c in result.candidates if c.phase in (short or phases) and not c.feasible), None
    )
    if nearest is None:
        return "Each phase has feasible instances, but no pair of them meets the limits."
    misses = ", ".join(miss_text(miss) for miss in nearest.misses)
    where = f"{nearest.deployment}, " if several else ""
    phase = f"{nearest.phase} in " if len(phases) > 1 else ""
    layout, batch = nearest.instance.parallel, nearest.point.batch
    return f"The nearest is {where}{phase}{layout} at batch {batch}: {misses}."
