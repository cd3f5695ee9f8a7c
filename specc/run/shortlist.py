"""Which configurations are simulated, and under which load."""

import math
from collections.abc import Sequence

from specc.ir import Deployment, Simulate, Study
from specc.ir.load import LoadKind, fleet_rate, load_kind
from specc.ir.simulation import LONGEST_SIMULATION, USUAL_REQUESTS, Arrival, Process
from specc.results import Configuration, objective_of

FEWEST, MOST = 4, 8  # configurations that are compared, of all deployments together
LATENCIES = 12.0  # of a request, that requests at a rate come for at least
MOST_REQUESTS = 200_000
USUAL_PLACES = 32  # requests that run at a time on a device, about


def shortlisted(study: Study, order: Sequence[Configuration]) -> list[Configuration]:
    """Return the configurations of a study to simulate, in their order by closed form.

    These are the best of each deployment, then the best of all that are within the error of the
    closed form, at least 4 and at most 8; or as many of each deployment as the spec says.
    """
    simulated = {d.name for d in study.deployments if load_kind(study, d) is not None}
    feasible = [c for c in order if c.feasible and c.deployment in simulated]
    given = study.simulate.shortlist if study.simulate is not None else None
    of_each = {name: [c for c in feasible if c.deployment == name] for name in simulated}
    if given is not None:
        kept = [c for own in of_each.values() for c in own[:given]]
    else:
        first = [c for c in feasible if c is of_each[c.deployment][0]]
        others = [c for c in feasible if not any(c is one for one in first)]
        close = sum(_is_close(c, feasible[0], study) for c in feasible)
        count = max(FEWEST, min(MOST, close))
        kept = [*first[:MOST], *others[: max(0, count - len(first))]]
    return [c for c in feasible if any(c is one for one in kept)]


def _is_close(found: Configuration, best: Configuration, study: Study) -> bool:
    """Say whether the error of the cost model is larger than what one has over another."""
    mine, most = (objective_of(c, study.objective) for c in (found, best))
    half = (best.bands.throughput_p90 - best.bands.throughput_p10) / 2 / best.throughput
    return mine >= most - half * abs(most)


def load_of(study: Study, deployment: Deployment, found: Configuration) -> Simulate:
    """Return the load that a configuration is simulated under.

    Raises:
        ValueError: the deployment is not simulated.
    """
    match load_kind(study, deployment):
        case LoadKind.GIVEN:
            assert study.simulate is not None
            return study.simulate
        case LoadKind.RATE:
            rate = fleet_rate(study, deployment)
            assert rate is not None
            return load_at(rate, found)
        case LoadKind.CLIENTS:
            clients = found.instances[-1].places
            # Prompts of all at once would fill the queue of prefill instances, which have no more
            # of them than a steady state needs: the first ones come at the rate of later ones.
            ramp = clients / found.rate if len(found.instances) > 1 else 0.0
            return Simulate(arrival=Arrival(Process.CONCURRENCY, clients=clients, ramp=ramp))
    raise ValueError(f"'{deployment.name}' is not simulated")


def load_at(rate: float, found: Configuration) -> Simulate:
    """Return requests at a rate, as many as tell whether a configuration carries it."""
    return Simulate(arrival=Arrival(Process.POISSON, rate), requests=_requests(rate, found))


def usual_load(study: Study) -> Simulate:
    """Return a load like that of a simulated study, before its configurations are known."""
    if study.simulate is not None:
        return study.simulate
    rates = [rate for d in study.deployments if (rate := fleet_rate(study, d)) is not None]
    if rates:
        return Simulate(arrival=Arrival(Process.POISSON, rates[0]))
    devices = max(instance.size for instance in study.instances)
    return Simulate(arrival=Arrival(Process.CONCURRENCY, clients=devices * USUAL_PLACES))


def _requests(rate: float, found: Configuration) -> int:
    """Return how many requests tell whether a rate is carried: they come for some latencies."""
    latency = (found.ttft or 0.0) + (found.tpot or 0.0) * found.throughput / found.rate
    wanted = max(USUAL_REQUESTS, math.ceil(LATENCIES * rate * latency))
    return max(1, min(wanted, MOST_REQUESTS, int(rate * LONGEST_SIMULATION / 2)))
