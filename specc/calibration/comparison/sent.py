"""The load of a test as one that can be simulated: the same requests, sent in the same way."""

from collections.abc import Iterator

from attrs import evolve

from specc.diagnostics import ExplainedError
from specc.ir import Arrival, LengthBin, Process, Simulate, Slo, Trace, Workload
from specc.loadtest import LoadTest, RequestLog
from specc.units import Tokens

_MOST_BINS = 32  # of lengths of requests that are sent in an order of their own
_SEEDS = (1, 2, 3, 4, 5)  # where a test does not tell when its requests came, or how long they were


# Shares of a limit on clients that are under way where it always, and where it never, holds.
_ALWAYS, _NEVER = 0.9, 0.7


class NotComparableError(ExplainedError):
    """A test that is not of the configuration it is compared with, or that cannot be simulated."""


def workload_of(test: LoadTest, hit: float, slo: Slo) -> Workload:
    """Return the requests of a test.

    Args:
        test: what was measured.
        hit: share of the prompts that was in a prefix cache.
        slo: limits that the requests are judged by.
    """
    rows = tuple(_bins(test))
    lengths = {(row.input, row.output) for row in rows}
    if len(lengths) == 1:
        prompt, output = rows[0].input[0], rows[0].output[0]
        if rows[0].input == (prompt, prompt + 1) and rows[0].output == (output, output + 1):
            return Workload(input=prompt, output=output, prefix_hit=hit, slo=slo)
    return Workload(requests=rows, prefix_hit=hit, slo=slo)


def _bins(test: LoadTest) -> Iterator[LengthBin]:
    """Yield groups of requests of like lengths, half open."""
    log = test.log
    if log is None:
        prompt = _span(test.input.mean, test.input.low, test.input.high)
        yield LengthBin(share=1.0, input=prompt, output=_span(
            test.output.mean, test.output.low, test.output.high
        ))  # fmt: skip
        return
    pairs = sorted(zip(log.output, log.input, strict=True))
    size = -(-len(pairs) // _MOST_BINS)
    for first in range(0, len(pairs), size):
        group = pairs[first : first + size]
        prompts, outputs = [p for _, p in group], [o for o, _ in group]
        yield LengthBin(
            share=len(group) / len(pairs),
            input=(min(prompts), max(prompts) + 1),
            output=(max(1, min(outputs)), max(outputs) + 1),
        )


def _span(mean: float, low: Tokens | None, high: Tokens | None) -> tuple[Tokens, Tokens]:
    """Return lengths whose middle is the mean, within the shortest and the longest that are known.

    Where they are not known all are as long as the mean.
    """
    middle = max(1, round(mean))
    if low is None or high is None or high <= low:
        return middle, middle + 1
    reach = min(middle - max(1, low), high - middle)
    return middle - reach, middle + reach + 1


def sent_load(test: LoadTest, like: Simulate | None) -> Simulate:
    """Return how the requests of a test come.

    Args:
        test: what was measured. Where it has the time of each request in an open loop, these are
            replayed.
        like: the simulation of the plan, whose instances and router hold.

    Raises:
        NotComparableError: the times of the requests are not known.
    """
    usual = like or Simulate(arrival=Arrival(Process.BURST))
    return evolve(
        usual,
        arrival=_arrival(test),
        rates=(),
        requests=test.requests,
        seed=1,
        speed=1.0,
        lengths=None,
        sessions=None,
        shortlist=None,
    )


def _arrival(test: LoadTest) -> Arrival:
    load = test.load
    limited = load.rate is None and load.clients is not None and load.process != "ramp"
    if not limited and test.log is not None and test.log.arrival:
        return Arrival(Process.TRACE, trace=_trace(test.log))
    if load.process in ("ramp", "schedule"):
        raise NotComparableError(
            f"the load was {load.label}, and the file does not have the times",
            help="measure again with --save-detailed (vllm), or keep profile_export.jsonl (aiperf)",
        )
    if limited or _is_always_at_the_limit(test):
        clients = load.clients or test.requests
        return Arrival(Process.CONCURRENCY, clients=min(clients, test.requests))
    if load.rate is None:
        return Arrival(Process.BURST)
    if load.process == "gamma":
        return Arrival(Process.GAMMA, rate=load.rate, cv=min(20.0, max(0.05, load.cv)))
    process = Process.CONSTANT if load.process == "constant" else Process.POISSON
    return Arrival(process, rate=load.rate)


def _is_always_at_the_limit(test: LoadTest) -> bool:
    """Say whether a rate is so large that only the limit on clients counts.

    Raises:
        NotComparableError: it counts at times.
    """
    load = test.load
    if load.clients is None or test.latency is None or test.latency.mean is None:
        return False
    share = test.rate * test.latency.mean / load.clients
    if _NEVER < share < _ALWAYS:
        raise NotComparableError(
            f"the load was {load.label}, and {share:.0%} of these were: the limit held back some "
            "requests, and the file does not say when",
            help="measure again with --save-detailed (vllm), or with a rate or a limit alone",
        )
    return share >= _ALWAYS


def _trace(log: RequestLog) -> Trace:
    return Trace(
        file="the load test",
        digest="",
        requests=len(log.arrival),
        arrival=log.arrival,
        input=log.input,
        output=tuple(max(1, tokens) for tokens in log.output),
    )


def seeds_of(workload: Workload, simulate: Simulate, *, drafts: bool) -> tuple[int, ...]:
    """Return the seeds with which a load is simulated: several where chance has a part in it."""
    timed = simulate.arrival.process in (Process.BURST, Process.CONCURRENCY, Process.CONSTANT)
    replayed = simulate.arrival.trace is not None
    varied = bool(workload.requests) and not replayed
    return _SEEDS if drafts or varied or not (timed or replayed) else _SEEDS[:1]
