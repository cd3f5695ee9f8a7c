"""Rules about simulated studies: arrivals, servers, capacity and limits on tails."""

from collections.abc import Iterator
from itertools import pairwise

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic, Label
from specc.ir import (
    MeasuredServer,
    Mode,
    Process,
    Routing,
    Simulate,
    StepLatency,
    Study,
    Workload,
)
from specc.ir.simulation import LONGEST_SIMULATION, USUAL_REQUESTS, StepKind
from specc.ir.vocabulary import Node

FEWEST_REQUESTS = 100  # for a capacity

_RANDOM = (Process.CONSTANT, Process.POISSON, Process.GAMMA, Process.WEIBULL)


def problems_of_study(study: Study) -> Iterator[Diagnostic]:
    """Yield what does not fit together in the simulation of a study."""
    if not study.servers and "deployments" not in study.spans:
        yield Diagnostic(
            "E0401",
            f"the study '{study.name}' lacks the field 'deployments'",
            (label_of(study, "", ""),),
        )
    if study.deployments and study.servers:
        yield Diagnostic(
            "E0406",
            "a study compares deployments, or measured servers",
            (
                label_of(study, "deployments", "deployments"),
                label_of(study, "servers", "and servers"),
            ),
            help="put them into studies of their own",
        )
    if study.simulate is None:
        yield from _not_simulated(study)
        return
    yield from _simulate(study.simulate, study)
    yield from _served(study, study.simulate)
    yield from _blocks(study, study.simulate)
    yield from _system_prompt(study, study.simulate)
    yield from problems_of_capacity(study)


def problems_of_server(server: MeasuredServer) -> Iterator[Diagnostic]:
    """Yield what is wrong with a measured server."""
    kinds = {row.step for row in server.step_cost}
    if kinds != set(StepKind):
        missing = "prefill" if StepKind.PREFILL not in kinds else "decode"
        yield Diagnostic(
            "E0401",
            f"'step_cost' has no step that is {missing}",
            (label_of(server, "step_cost" if server.step_cost else "", ""),),
            help=f"measure one: | {missing} | 1 | 25 ms |",
        )
    for kind in StepKind:
        rows = sorted((r for r in server.step_cost if r.step is kind), key=lambda r: r.size)
        for first, second in pairwise(rows):
            if first.size == second.size:
                yield Diagnostic(
                    "E0406",
                    f"two times of a {kind.value} step of size {first.size}",
                    (label_of(second, "", "this time"), label_of(first, "", "and this")),
                    help="write their mean",
                )


def _not_simulated(study: Study) -> Iterator[Diagnostic]:
    how = "add a block to the study: simulate { arrival = poisson(12 req/s) }"
    for tail in study.workload.slo.tails:
        yield Diagnostic(
            "E0406",
            f"'{tail.fact}' needs a simulation",
            (
                Label(tail.spans[""], "a statistic over requests"),
                label_of(study, "", "not simulated"),
            ),
            why="closed forms and step loops know means",
            help=how,
        )
    if study.servers:
        yield Diagnostic(
            "E0406", "measured servers are simulated", (label_of(study, "servers", ""),), help=how
        )
    if study.capacity is not None:
        yield Diagnostic(
            "E0406",
            "the capacity is searched with a simulation",
            (label_of(study.capacity, "", "", study),),
            help=how,
        )


def _simulate(simulate: Simulate, study: Study) -> Iterator[Diagnostic]:
    arrival, rates = simulate.arrival, simulate.rates
    at = label_of(simulate, "arrival", "")
    if arrival.process in _RANDOM and arrival.rate is None and not rates:
        name = arrival.process.value
        yield Diagnostic(
            "E0401",
            f"'{name}' lacks a rate",
            (at,),
            help=f"write {name}(12 req/s), or a table: rates {{ | at | rate | … }}",
        )
    if rates and (arrival.process not in _RANDOM or arrival.rate is not None):
        yield Diagnostic(
            "E0406",
            "the table 'rates' and 'arrival' both say when requests come",
            (at, label_of(simulate, "rates", "the table")),
            help="write arrival = poisson with a table of rates",
        )
    for first, second in pairwise(rates):
        if second.at <= first.at:
            yield Diagnostic(
                "E0406",
                "the times of 'rates' rise",
                (label_of(second, "at", "not later"), label_of(first, "at", "than this")),
            )
    yield from _too_long(simulate)
    if rates and rates[-1].rate <= 0:
        yield Diagnostic(
            "E0406",
            "the last rate is 0, so that not all requests come",
            (label_of(rates[-1], "rate", ""),),
            help="end with the rate that goes on",
        )
    trace = arrival.process is Process.TRACE
    yield from _idle(study, simulate)
    if trace and simulate.sessions is not None:
        yield _of_no_use(simulate, "sessions", "a trace has sessions of its own")
    hashed = simulate.sessions is not None or (
        arrival.trace is not None and arrival.trace.hashes is not None
    )
    if simulate.router is Routing.PREFIX_AWARE and not hashed:
        yield Diagnostic(
            "E0406",
            "no prefix can be told from another",
            (label_of(simulate, "router", "routes by prefixes"),),
            help="add sessions { … }, or a trace with hash_ids",
        )
    if simulate.sessions is not None and any(s.cached for s in study.workload.shapes()):
        yield Diagnostic(
            "E0406",
            "a hit rate, and sessions that make one",
            (
                label_of(simulate.sessions, "", "these share prefixes", simulate),
                label_of(study.workload, _hits_of(study.workload), "a rate of its own"),
            ),
            help="keep one of them",
        )


def _too_long(simulate: Simulate) -> Iterator[Diagnostic]:
    arrival, rates = simulate.arrival, simulate.rates
    if arrival.trace is not None:
        lasts = arrival.trace.arrival[-1] / simulate.speed
    elif arrival.rate is None and not (rates and rates[-1].rate):
        return
    else:
        rate, begin = (arrival.rate, 0.0) if arrival.rate else (rates[-1].rate, rates[-1].at)
        lasts = begin + (simulate.requests or USUAL_REQUESTS) / rate
    if lasts > LONGEST_SIMULATION / 2:
        yield Diagnostic(
            "E0402",
            f"the requests take {lasts / 86400:,.0f} days to come",
            (label_of(simulate, "arrival", ""),),
            why=f"a simulation lasts {LONGEST_SIMULATION / 2 / 86400:.0f} days at most",
            help="simulate fewer requests, or at a higher rate",
        )


def _idle(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """Settings that would change nothing."""
    arrival = simulate.arrival
    trace = arrival.trace is not None
    at = label_of(simulate, "arrival", "")
    for field in ("speed", "block_tokens"):
        if field in simulate.spans and not trace:
            yield _of_no_use(simulate, field, "it belongs to a trace")
    if trace and "seed" in simulate.spans:
        yield _of_no_use(simulate, "seed", "a trace has no chance in it")
    if arrival.trace is not None and (simulate.requests or 0) > arrival.trace.requests:
        yield Diagnostic(
            "E0402",
            f"'{arrival.trace.file}' has {arrival.trace.requests:,} requests",
            (label_of(simulate, "requests", "more than there are"), at),
        )
    sessions = simulate.sessions
    if sessions and "system_prompts" in sessions.spans and not sessions.system_prompt:
        yield Diagnostic(
            "E0406",
            "'system_prompts' has no use here",
            (label_of(sessions, "system_prompts", ""),),
            help="say how long they are: system_prompt = 1Ki tok",
        )
    if "lengths" in simulate.spans and (trace or not study.workload.requests):
        yield _of_no_use(simulate, "lengths", "there are no bins to draw lengths from")


def _system_prompt(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """The system prompt leaves room for the shortest request."""
    if simulate.sessions is None:
        return
    workload = study.workload
    shortest = min(
        (row.input[0] + row.output[0] for row in workload.requests),
        default=(workload.input or 1) + (workload.output or 1),
    )
    limits = [instance.longest_request for instance in study.instances]
    limits += [s.max_model_length for s in study.servers if s.max_model_length is not None]
    least = min(limits, default=None)
    if least is not None and simulate.sessions.system_prompt + shortest > least:
        yield Diagnostic(
            "E0407",
            f"the system prompt leaves no room for a request in a context of {least:,} tokens",
            (
                label_of(
                    simulate.sessions,
                    "system_prompt",
                    f"{simulate.sessions.system_prompt:,} tokens",
                    simulate,
                ),
            ),
            help="shorten it",
        )


def _blocks(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A hashed block of a trace is kept in whole blocks of the KV cache."""
    trace = simulate.arrival.trace
    if trace is None or trace.hashes is None:
        return
    owners: list[tuple[Node, int]] = [(i.engine, i.engine.block_size) for i in study.instances]
    owners += [(server, server.block_size) for server in study.servers]
    for owner, block in owners:
        if simulate.block_tokens % block:
            yield Diagnostic(
                "E0406",
                f"blocks of {simulate.block_tokens} tokens do not consist of blocks of {block}",
                (
                    label_of(owner, "block_size", "blocks of the KV cache", study),
                    label_of(simulate, "block_tokens", "blocks of the trace", study),
                ),
                help="choose a block size that divides that of the trace",
            )
            return


def _hits_of(workload: Workload) -> str:
    return "prefix_hit" if "prefix_hit" in workload.spans else "requests"


def _of_no_use(simulate: Simulate, field: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E0406", f"'{field}' has no use here", (label_of(simulate, field, ""),), why=why
    )


def _served(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    if study.servers:
        if "shortlist" in simulate.spans:
            yield _of_no_use(simulate, "shortlist", "measured servers are all simulated")
        if study.workload.images is not None:
            yield Diagnostic(
                "E0406",
                "the step costs of a server know no images",
                (label_of(study.workload.images, "", "images", study.workload),),
            )
        return
    for deployment in study.deployments:
        if deployment.mode in (Mode.PREFILL_ONLY, Mode.DECODE_ONLY):
            yield Diagnostic(
                "E0406",
                f"'{deployment.name}' serves no whole requests",
                (
                    label_of(deployment, "mode", deployment.mode.value),
                    label_of(simulate, "", "simulated here", study),
                ),
                help="simulate deployments that prefill and decode",
            )
        for phase in deployment.mode.phases:
            for instance in deployment.instances(phase):
                if instance.engine.step is StepLatency.OVERLAPPED:
                    yield Diagnostic(
                        "E0406",
                        "a simulated step is one mixed batch",
                        (
                            label_of(instance.engine, "step", "overlapped"),
                            label_of(simulate, "", "simulated here", study),
                        ),
                        help="write step = mixed, or take the simulation out",
                    )
                    return
                speculative = instance.engine.speculative
                if speculative is not None and any(speculative.tokens):
                    yield Diagnostic(
                        "E0406",
                        "the simulation does not draft tokens",
                        (
                            label_of(instance.engine, "speculative", "speculative decoding"),
                            label_of(simulate, "", "simulated here", study),
                        ),
                        help="write speculative.tokens = 0, or take the simulation out",
                    )
                    return


def problems_of_capacity(study: Study) -> Iterator[Diagnostic]:
    """Yield why the capacity of a simulated study cannot be searched, if it is asked for."""
    simulate = study.simulate
    if study.capacity is None or simulate is None:
        return
    at = label_of(study.capacity, "", "", study)
    if not study.workload.slo.objectives:
        yield Diagnostic(
            "E0406",
            "a capacity needs objectives",
            (at,),
            why=f"the workload '{study.workload.name}' has no objectives",
            help="add slo { ttft.p99 <= 2 s; tpot.p99 <= 50 ms } to the workload",
        )
    trace = simulate.arrival.trace
    if trace is not None and "seeds" in study.capacity.spans:
        yield Diagnostic(
            "E0406",
            "'seeds' has no use here",
            (label_of(study.capacity, "seeds", "", study),),
            why="a trace has no chance in it",
        )
    if trace is not None and not trace.arrival[-1]:
        yield Diagnostic(
            "E0406",
            f"the requests of '{trace.file}' come all at once, and have no rate to raise",
            (label_of(simulate, "arrival", ""), at),
        )
    if (simulate.requests or USUAL_REQUESTS) < FEWEST_REQUESTS:
        yield Diagnostic(
            "E0402",
            f"{simulate.requests} requests are too few to search a capacity",
            (label_of(simulate, "requests", ""), at),
            help=f"simulate {FEWEST_REQUESTS} at least; thousands tell more",
        )
    if simulate.arrival.process is Process.BURST:
        yield Diagnostic(
            "E0406",
            "a burst has no rate to raise",
            (label_of(simulate, "arrival", "all at once"), at),
            help="write arrival = poisson(12 req/s)",
        )
