"""Rules of a search for the capacity: objectives to keep, and a rate to raise."""

from collections.abc import Iterator

from specc.check.labels import label_of
from specc.diagnostics import Diagnostic
from specc.ir import Capacity, Process, Simulate, Study
from specc.ir.simulation import USUAL_REQUESTS

FEWEST_REQUESTS = 100


def objectives(study: Study, _simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """A capacity is the highest rate that meets the objectives."""
    at = label_of(capacity, "", "", study)
    if not study.workload.limits:
        yield Diagnostic(
            "E0497",
            "a capacity needs objectives",
            (at,),
            why=f"the workload '{study.workload.name}' has no objectives",
            help="add slo { ttft.p99 <= 2 s; tpot.p99 <= 50 ms } to the workload",
        )


def seeds(study: Study, simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """A trace is replayed as it is."""
    trace = simulate.arrival.trace
    if trace is not None and "seeds" in capacity.spans:
        yield Diagnostic(
            "E0486",
            "'seeds' has no effect here",
            (label_of(capacity, "seeds", "", study),),
            why="a trace is deterministic",
        )


def rate_of_a_trace(study: Study, simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """Requests that come all at once have no rate."""
    at = label_of(capacity, "", "", study)
    trace = simulate.arrival.trace
    if trace is not None and not trace.arrival[-1]:
        yield Diagnostic(
            "E0498",
            f"the requests of '{trace.file}' arrive all at once, so there is no rate to raise",
            (label_of(simulate, "arrival", ""), at),
        )


def requests(study: Study, simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """A few requests tell nothing about a tail."""
    at = label_of(capacity, "", "", study)
    if (simulate.requests or USUAL_REQUESTS) < FEWEST_REQUESTS:
        yield Diagnostic(
            "E0402",
            f"{simulate.requests} requests are too few to search a capacity",
            (label_of(simulate, "requests", ""), at),
            help=f"simulate at least {FEWEST_REQUESTS}; thousands are better",
        )


def rate_of_clients(study: Study, simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """Clients send as fast as they are served."""
    if simulate.arrival.clients is not None:
        yield Diagnostic(
            "E0498",
            "a closed loop has no rate to raise",
            (
                label_of(simulate, "arrival", "clients wait for their answers"),
                label_of(capacity, "", "", study),
            ),
            help="write arrival = poisson(12 req/s), or compare numbers of clients with a sweep",
        )


def rate_of_a_burst(study: Study, simulate: Simulate, capacity: Capacity) -> Iterator[Diagnostic]:
    """Nor has a burst."""
    at = label_of(capacity, "", "", study)
    if simulate.arrival.process is Process.BURST:
        yield Diagnostic(
            "E0498",
            "a burst has no rate to raise",
            (label_of(simulate, "arrival", "all at once"), at),
            help="write arrival = poisson(12 req/s)",
        )
