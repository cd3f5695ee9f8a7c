"""Rules of a simulated study: when requests come, and who serves them."""

from collections.abc import Iterator
from itertools import pairwise

from specc.check.labels import label_of, label_of_hits
from specc.diagnostics import Diagnostic, Label
from specc.ir import Mode, Process, Sight, Simulate, StepLatency, Study, facts
from specc.ir.formula import references
from specc.ir.load import why_unsimulated
from specc.ir.simulation import LONGEST_SIMULATION
from specc.ir.vocabulary import Node

_OF_A_CAPACITY = ("capacity", "instances_needed")
_RATE = ("rate", "the fleet has one")
_RANDOM = (Process.CONSTANT, Process.POISSON, Process.GAMMA, Process.WEIBULL)


def not_simulated(study: Study) -> Iterator[Diagnostic]:
    """What only a simulation has needs one, where the study implies none."""
    how = "add a block to the study: simulate { arrival = poisson(12 req/s) }"
    why = next(filter(None, (why_unsimulated(study, d) for d in study.deployments)), "")
    if study.unsimulated:
        how = "remove 'simulate = none'"
    if why:
        yield from _statistics_without(study, why, how)
    else:
        yield from _capacity_without_search(study)
    if study.servers:
        yield Diagnostic(
            "E0481",
            "measured servers need a simulation",
            (label_of(study, "servers", ""),),
            help=how,
        )
    if study.capacity is not None and (study.servers or why or study.capacity.rate is None):
        yield Diagnostic(
            "E0481",
            "a capacity search needs a simulation",
            (label_of(study.capacity, "", "", study),),
            help=how if why or study.servers else f"{how}; or say the rate to carry",
        )


def _statistics_without(study: Study, why: str, how: str) -> Iterator[Diagnostic]:
    """Limits and expectations on single requests need a simulation, which there is not."""
    here = label_of(study, "simulate" if study.unsimulated else "", "not simulated")
    slo = study.workload.slo
    tails = {tail.spans[""]: tail for part in study.workload.parts for tail in part.slo.tails}
    for span, tail in tails.items():
        yield Diagnostic(
            "E0481",
            f"'{tail.fact}' needs a simulation",
            (Label(span, "a statistic over requests"), here),
            why=f"{why}; closed forms and step loops compute only means",
            help=how,
        )
    if slo.confidence is not None:
        yield Diagnostic(
            "E0481",
            "'confidence' needs a simulation",
            (Label(slo.spans["confidence"], "how surely limits must hold"), here),
            why=why,
            help=how,
        )
    for path in _simulated_facts(study):
        yield Diagnostic("E0481", f"'{path}' needs a simulation", (here,), why=why, help=how)


def _capacity_without_search(study: Study) -> Iterator[Diagnostic]:
    """Expectations on a capacity need its search, which goes with a load of the spec."""
    for path in _simulated_facts(study):
        if path.rpartition(".")[2] in _OF_A_CAPACITY:
            yield Diagnostic(
                "E0481",
                f"'{path}' needs a capacity search",
                (label_of(study, "", "none here"),),
                help="add blocks to the study: simulate { arrival = poisson(12 req/s) } and "
                "capacity { rate = 20 req/s }; of a fleet write best.instances",
            )


def rate_of_a_fleet(study: Study) -> Iterator[Diagnostic]:
    """The rate of a capacity counts instances where no fleet has a rate."""
    capacity = study.capacity
    if capacity is None or capacity.rate is None:
        return
    for deployment in study.deployments:
        fleet = deployment.fleet
        if fleet is not None:
            name, why = ("devices", "the fleet has a size") if fleet.rate is None else _RATE
            yield Diagnostic(
                "E0486",
                "'capacity.rate' has no effect here",
                (
                    label_of(capacity, "rate", "a rate to carry", study),
                    label_of(fleet, name, why, deployment),
                ),
                help="keep one of them",
            )
            return


def _simulated_facts(study: Study) -> Iterator[str]:
    """Yield the results that expectations name and only a simulation has."""
    for expectation in study.expectations:
        yield from filter(facts.is_simulated, references(expectation.condition))


def missing_rate(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A random process needs a rate."""
    arrival, rates = simulate.arrival, simulate.rates
    if arrival.process in _RANDOM and arrival.rate is None and not rates:
        name = arrival.process.value
        yield Diagnostic(
            "E0401",
            f"'{name}' lacks a rate",
            (label_of(simulate, "arrival", ""),),
            help=f"write {name}(12 req/s), or a table: rates {{ | at | rate | … }}",
        )


def rate_given_twice(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """The rate stands in the arrival or in the table."""
    arrival, rates = simulate.arrival, simulate.rates
    if rates and arrival.clients is not None:
        yield _of_no_use(simulate, "rates", "clients of a closed loop send at no given rate")
    elif rates and (arrival.process not in _RANDOM or arrival.rate is not None):
        yield Diagnostic(
            "E0483",
            "the table 'rates' and 'arrival' both set the rate",
            (label_of(simulate, "arrival", ""), label_of(simulate, "rates", "the table")),
            help="write arrival = poisson with a table of rates",
        )


def times_of_rates(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """Rates are in the order of time."""
    for first, second in pairwise(simulate.rates):
        if second.at <= first.at:
            yield Diagnostic(
                "E0484",
                "times in 'rates' must increase",
                (label_of(second, "at", "not later"), label_of(first, "at", "than this")),
            )


def duration(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A simulation ends."""
    arrival, rates = simulate.arrival, simulate.rates
    if arrival.trace is not None:
        lasts = arrival.trace.arrival[-1] / simulate.speed
    elif arrival.rate is None and not (rates and rates[-1].rate):
        return
    else:
        rate, begin = (arrival.rate, 0.0) if arrival.rate else (rates[-1].rate, rates[-1].at)
        lasts = begin + simulate.count / rate
    if lasts > LONGEST_SIMULATION / 2:
        yield Diagnostic(
            "E0402",
            f"the requests take {lasts / 86400:,.0f} days to arrive",
            (label_of(simulate, "arrival", ""),),
            why=f"a simulation lasts at most {LONGEST_SIMULATION / 2 / 86400:.0f} days",
            help="simulate fewer requests, or at a higher rate",
        )


def last_rate(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """All requests come."""
    rates = simulate.rates
    if rates and rates[-1].rate <= 0:
        yield Diagnostic(
            "E0485",
            "the last rate is 0, so not all requests arrive",
            (label_of(rates[-1], "rate", ""),),
            help="end with a rate above 0",
        )


def idle(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """Settings that would change nothing."""
    arrival = simulate.arrival
    trace = arrival.trace is not None
    at = label_of(simulate, "arrival", "")
    for field in ("speed", "block_tokens"):
        if field in simulate.spans and not trace:
            yield _of_no_use(simulate, field, "it applies only to a trace")
    if trace and "seed" in simulate.spans:
        yield _of_no_use(simulate, "seed", "a trace is deterministic")
    if arrival.trace is not None and (simulate.requests or 0) > arrival.trace.requests:
        yield Diagnostic(
            "E0402",
            f"'{arrival.trace.file}' has {arrival.trace.requests:,} requests",
            (label_of(simulate, "requests", "more than there are"), at),
        )
    sessions = simulate.sessions
    if sessions and "system_prompts" in sessions.spans and not sessions.system_prompt:
        yield Diagnostic(
            "E0486",
            "'system_prompts' has no effect here",
            (label_of(sessions, "system_prompts", ""),),
            help="say how long they are: system_prompt = 1Ki tok",
        )
    ranged = any(part.requests for part in study.workload.parts)
    if "lengths" in simulate.spans and (trace or not ranged):
        yield _of_no_use(simulate, "lengths", "there are no bins to draw lengths from")


def sessions_of_a_trace(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A trace has sessions of its own, and clients of a closed loop have none."""
    if simulate.sessions is None:
        return
    if simulate.arrival.process is Process.TRACE:
        yield _of_no_use(simulate, "sessions", "a trace has sessions of its own")
    if simulate.arrival.clients is not None:
        yield _of_no_use(simulate, "sessions", "clients of a closed loop have no sessions yet")


def prefixes(_study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A router of prefixes needs some."""
    arrival = simulate.arrival
    hashed = simulate.sessions is not None or (
        arrival.trace is not None and arrival.trace.hashes is not None
    )
    if simulate.router.sight is Sight.PREFIXES and not hashed:
        yield Diagnostic(
            "E0487",
            "no two requests share a prefix",
            (label_of(simulate, "router", "routes by prefixes"),),
            help="add sessions { … }, or a trace with hash_ids",
        )


def hit_rate(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """Sessions, and a trace that says what requests share, make a hit rate."""
    trace = simulate.arrival.trace
    hashed = trace is not None and trace.hashes is not None
    fixed = study.workload.fixed_hits
    if fixed is not None and (simulate.sessions is not None or hashed):
        source = (
            label_of(simulate.sessions, "", "the hit rate follows from these", simulate)
            if simulate.sessions is not None
            else label_of(simulate, "arrival", "the hit rate follows from its hash_ids")
        )
        yield Diagnostic(
            "E0488",
            f"a hit rate together with {'a trace that has hash_ids' if hashed else 'sessions'}",
            (source, label_of_hits(fixed, "a fixed hit rate", study.workload)),
            help="keep one of them",
        )


def shortlist(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """All measured servers need a simulation."""
    if study.servers and "shortlist" in simulate.spans:
        yield _of_no_use(simulate, "shortlist", "all measured servers are simulated")


def images_of_servers(study: Study, _simulate: Simulate) -> Iterator[Diagnostic]:
    """Nobody measured steps with images."""
    for part in study.workload.parts if study.servers else ():
        if part.images is not None:
            yield Diagnostic(
                "E0491",
                "a measured server has no times for images",
                (label_of(part.images, "", "images", part),),
            )


def engines(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """What the simulation of an engine cannot do."""
    if study.servers:
        return
    for deployment in study.deployments:
        if deployment.mode in (Mode.PREFILL_ONLY, Mode.DECODE_ONLY):
            yield Diagnostic(
                "E0492",
                f"'{deployment.name}' does not serve whole requests",
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
                        "E0493",
                        "a simulated step is one mixed batch",
                        (
                            label_of(instance.engine, "step", "overlapped"),
                            label_of(simulate, "", "simulated here", study),
                        ),
                        help="write step = mixed, or remove the simulation",
                    )
                    return
                engine = instance.engine
                if engine.drafts and engine.async_scheduling:
                    yield Diagnostic(
                        "E0494",
                        "the simulation has no asynchronous scheduling of drafts",
                        (
                            label_of(engine, "async_scheduling", "composed ahead"),
                            label_of(engine, "speculative", "what is accepted is not known then"),
                            label_of(simulate, "", "simulated here", study),
                        ),
                        help="remove 'async_scheduling': with drafts a step is composed when the "
                        "one before has ended",
                    )
                    return


def blocks(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A hashed block of a trace is kept in whole blocks of the KV cache."""
    trace = simulate.arrival.trace
    if trace is None or trace.hashes is None:
        return
    owners: list[tuple[Node, int]] = [(i.engine, i.engine.block_size) for i in study.instances]
    owners += [(server, server.block_size) for server in study.servers]
    for owner, block in owners:
        if simulate.block_tokens % block:
            yield Diagnostic(
                "E0489",
                f"blocks of {simulate.block_tokens} tokens do not consist of blocks of {block}",
                (
                    label_of(owner, "block_size", "blocks of the KV cache", study),
                    label_of(simulate, "block_tokens", "blocks of the trace", study),
                ),
                help="choose a block size that divides that of the trace",
            )
            return


def system_prompt(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """The system prompt leaves room for the shortest request."""
    if simulate.sessions is None:
        return
    shortest = min(row.input[0] + row.output[0] for _, row in study.workload.rows)
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


def classes_of_a_trace(study: Study, simulate: Simulate) -> Iterator[Diagnostic]:
    """A trace does not say which class a request is of."""
    if simulate.arrival.trace is not None and study.workload.classes:
        yield Diagnostic(
            "E0479",
            "the requests of a trace have no class",
            (
                label_of(simulate, "arrival", "lengths and times of each request"),
                label_of(study.workload.classes[0], "", "classes", study.workload),
            ),
            help="simulate a rate, with lengths_from(…) in each class, or remove the classes",
        )


def _of_no_use(simulate: Simulate, field: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E0486", f"'{field}' has no effect here", (label_of(simulate, field, ""),), why=why
    )
