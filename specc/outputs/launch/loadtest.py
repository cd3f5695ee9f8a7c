"""The load test that measures what a plan promised: the load that its figures are for."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from specc.diagnostics import visible_line
from specc.engines.flags import flags_of
from specc.ir import Process, Software
from specc.outputs.launch.base import LaunchPlan
from specc.records import Record
from specc.units import Tokens

_MOST_REQUESTS = 1000  # of a file of requests
_CHUNK = 128  # tokens of a block that prompts have in common
_FRESH = 1_000_000  # numbers of blocks that no other prompt has, from here on
_CLIENT = "0.23.0"  # the first version whose vllm bench serve replays a trace


@frozen(kw_only=True, eq=False, repr=False)
class SentRequests(Record):
    """How a load is sent.

    Attributes:
        clients, rate: of a closed loop, or requests a second; both None for a burst or a replay.
        cv: coefficient of variation of the gaps of a rate.
        requests: how many.
        prompt, common, output: tokens of each, and those at the beginning that all have in common;
            0 where they differ.
        trace: the file of a trace that is replayed; empty for none.
        speed: of the replay.
        lines: requests of a file that goes with the script, one in a line.
        block: tokens of a block that prompts of a trace or of these lines may have in common.
        hit: share of the prompts that the plan takes for cached.
        planned: requests that the plan simulates.
        sessions, images: whether these are in the plan; they are not sent as such.
    """

    clients: int | None
    rate: float | None
    cv: float
    requests: int
    prompt: Tokens
    common: Tokens
    output: Tokens
    trace: str
    speed: float
    lines: tuple[str, ...]
    block: Tokens
    hit: float
    planned: int
    sessions: bool
    images: bool

    @property
    def label(self) -> str:
        """How a person calls it."""
        if self.trace:
            return f"a replay of {self.trace}"
        what = f"{self.clients} clients" if self.clients else "requests at the times of the plan"
        if self.rate is not None and not self.lines:
            what = f"{self.rate:.4g} requests a second"
        return what


def load_of(plan: LaunchPlan) -> SentRequests:
    """Return the load that the figures of a configuration are for."""
    load, study, workload = plan.configuration.load, plan.study, plan.study.workload
    simulate = study.simulate
    trace = simulate.arrival.trace if simulate is not None else None
    clients = load.clients if load is not None else None
    rate = load.rate if load is not None else None
    if load is None or load.kind == "none":
        clients, rate = plan.configuration.in_flight, None
    count = (load.requests if load is not None else None) or 4 * (clients or 100)
    shapes = workload.shapes()
    alike = len({(s.input, s.cached, s.output) for s in shapes}) == 1 and not workload.is_mixed
    plain = simulate is None or (
        simulate.arrival.process is not Process.WEIBULL
        and not simulate.rates
        and simulate.sessions is None
    )
    rows = [] if trace or (alike and plain) else list(_rows(plan, clients))
    hit = (
        _sent_hit(rows)
        if rows
        else math.fsum(s.share * s.cached for s in shapes)
        / math.fsum(s.share * s.input for s in shapes)
    )
    first = shapes[0]
    return SentRequests(
        clients=clients,
        rate=None if trace else rate,
        cv=simulate.arrival.cv if simulate is not None else 1.0,
        requests=len(rows) or count,
        prompt=first.input if alike else 0,
        common=first.cached if alike else 0,
        output=first.output if alike else 0,
        trace=visible_line(trace.file) if trace else "",
        speed=simulate.speed if simulate is not None else 1.0,
        lines=tuple(map(json.dumps, rows)),
        block=simulate.block_tokens if simulate is not None and trace else _CHUNK,
        hit=hit if not trace else 0.0,
        planned=count,
        sessions=simulate is not None and simulate.sessions is not None,
        images=workload.images is not None,
    )


def _rows(plan: LaunchPlan, clients: int | None) -> Iterator[dict[str, Any]]:
    """Yield the first requests that were simulated, as a trace: with times, lengths and prefixes.

    Prompts have as many blocks in common as the plan takes for cached.
    """
    from attrs import evolve

    from specc.ir import Arrival, Simulate
    from specc.simulation.arrivals import RequestSource
    from specc.simulation.costs import PICOSECONDS

    load, study = plan.configuration.load, plan.study
    asked = study.simulate
    if asked is None:
        rate = load.rate if load is not None else None
        asked = Simulate(
            arrival=Arrival(Process.POISSON, rate=rate)
            if rate is not None
            else Arrival(Process.CONCURRENCY, clients=clients or 1)
        )
    count = min(asked.count, _MOST_REQUESTS)
    made = RequestSource(evolve(asked, requests=count), study.workload).requests()
    fresh = _FRESH
    for time, prompt, cached, output in zip(
        made.arrival, made.input, made.cached, made.output, strict=True
    ):
        common, whole = int(cached) // _CHUNK, -(-int(prompt) // _CHUNK)
        ids = [*range(common), *range(fresh, fresh + whole - common)]
        fresh += whole - common
        yield {
            "timestamp": round(float(time) / PICOSECONDS, 6),
            "input_length": int(prompt),
            "output_length": int(output),
            "hash_ids": ids,
        }


def _sent_hit(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of the prompts' tokens that lies in blocks of several requests."""
    common = sum(_CHUNK * sum(number < _FRESH for number in row["hash_ids"]) for row in rows)
    return float(common / sum(row["input_length"] for row in rows))


def bench_arguments(plan: LaunchPlan, load: SentRequests) -> list[tuple[str, str | None, bool]]:
    """Return the flags of `vllm bench serve`: name, value, and whether the shell fills it in."""
    found: list[tuple[str, str | None, bool]] = [
        ("--backend", "vllm", False),
        ("--base-url", '"$URL"', True),
        ("--endpoint", "/v1/completions", False),
        ("--model", '"$MODEL"', True),
        ("--served-model-name", plan.deployment.model.name, False),
    ]
    found += [(name, value, raw) for name, value, raw in _data(load)]
    if load.clients:
        found.append(("--max-concurrency", str(load.clients), False))
    if load.rate is not None and not load.lines:
        found.append(("--request-rate", f"{load.rate:.6g}", False))
        if load.cv != 1.0:  # gaps are drawn from a gamma distribution of this shape
            found.append(("--burstiness", f"{load.cv**-2:.6g}", False))
    found += [
        ("--num-prompts", str(load.requests), False),
        ("--ignore-eos", None, False),
        ("--percentile-metrics", "ttft,tpot,itl,e2el", False),
        ("--metric-percentiles", "50,90,95,99", False),
    ]
    goodput = _goodput(plan)
    if goodput:
        found.append(("--goodput", " ".join(goodput), True))
    found += [
        ("--seed", "1", False),
        ("--save-result", None, False),
        ("--save-detailed", None, False),
        ("--result-filename", '"$RESULT"', True),
        ("--metadata", " ".join(_metadata(plan, load)), True),
    ]
    known = flags_of(Software.VLLM, _CLIENT).bench
    assert all(name in known for name, _, _ in found)
    return found


def _data(load: SentRequests) -> Iterator[tuple[str, str | None, bool]]:
    if load.trace or load.lines:
        yield "--dataset-name", "timed_trace", False
        yield "--dataset-path", '"$REQUESTS"', True
        yield "--timed-trace-chunk-hash-size", str(load.block), False
        if load.clients is None:
            yield "--self-timed", None, False
        else:
            yield "--no-self-timed", None, False
        return
    yield "--dataset-name", "random", False
    yield "--random-input-len", str(load.prompt - load.common), False
    if load.common:
        yield "--random-prefix-len", str(load.common), False
    yield "--random-output-len", str(load.output), False
    yield "--random-range-ratio", "0", False


def _goodput(plan: LaunchPlan) -> list[str]:
    """Return the limits on TTFT and TPOT, in ms."""
    limits: dict[str, float] = {}
    for bound in plan.study.workload.common_slo.objectives:
        name = bound.fact.partition(".")[0]
        if name in ("ttft", "tpot"):
            limits[name] = max(limits.get(name, 0.0), bound.value)
    return [f"{name}:{1e3 * value:.6g}" for name, value in limits.items()]


def _metadata(plan: LaunchPlan, load: SentRequests) -> Iterator[str]:
    """Yield what lets `specc compare` find the plan, and see that it is the right one."""
    import shlex

    pairs = {
        "specc_plan": visible_line(plan.header.spec),
        "specc_study": plan.study.name,
        "specc_configuration": str(plan.number),
    }
    if not plan.apart:
        instance = plan.configuration.instances[0]
        layout = instance.layout
        pairs |= {"tp": str(layout.tp), "pp": str(layout.pp), "dp": str(layout.dp)}
        pairs["software"] = instance.engine.software
    if not load.trace:
        pairs["prefix_hit"] = f"{load.hit:.6g}"
    for name, value in pairs.items():
        yield shlex.quote(f"{name}={value}")
