"""What else to know about a recommendation: what it consists of, what starts it, what it holds."""

from collections.abc import Callable, Iterator

from specc.engines import engines_for, history_of
from specc.ir import Deployment, Fleet, Phase, Software
from specc.ir.load import LoadKind
from specc.report import format as show
from specc.report.document import Remarks, ReportBlock
from specc.report.headline import under_given_load
from specc.report.sections import simulation
from specc.report.study import ReportedStudy
from specc.results import Configuration, Instance, StudyResult
from specc.units import counted

APART = 0.1  # of closed form and simulation, which is worth a word


def blocks(study: ReportedStudy) -> Iterator[ReportBlock]:
    """Yield the remarks on the recommendation."""
    best = study.best
    if best is not None and not study.study.servers:
        remarks = tuple(_remarks(study, best))
        yield Remarks(id=study.id("details"), title="The recommendation in detail", remarks=remarks)


def _remarks(study: ReportedStudy, best: Configuration) -> Iterator[str]:
    result = study.result
    deployment = result.study.deployment(best.deployment)
    yield simulation.answered(study, best)
    yield _arithmetic(best)
    yield from _sharing(best)
    yield from _fleet_remarks(result, best)
    yield from _launched_by(result, best)
    yield from _caches(deployment, best)
    yield from _beside(best)
    yield from _two_kinds_of_tpot(result)
    yield from _overflow(best)
    yield simulation.intervals(best)


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
    if not best.simulated or planned is None or load is None or under_given_load(best):
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
