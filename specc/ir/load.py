"""Which load the figures of a study are for, and what ranks its candidates beforehand.

A `simulate` block says it; else a rate does, or as many clients as keep the limits. Where nothing
can be simulated, the figures are those of the closed form.
"""

import math
from enum import Enum

from attrs import evolve

from specc.ir.deployment import Deployment, Fleet
from specc.ir.engine import StepLatency
from specc.ir.study import Study
from specc.ir.workload import Workload
from specc.units import Seconds


class LoadKind(Enum):
    """Where the load of a simulation comes from."""

    GIVEN = "given"  # a simulate block
    RATE = "rate"  # requests at random times, at the rate that a fleet is for
    CLIENTS = "clients"  # a closed loop: each client sends its next request when one is done


def load_kind(study: Study, deployment: Deployment) -> LoadKind | None:
    """Return which load a deployment is simulated under; None if it is not simulated."""
    if study.simulate is not None:
        return LoadKind.GIVEN
    if why_unsimulated(study, deployment):
        return None
    return LoadKind.CLIENTS if fleet_rate(study, deployment) is None else LoadKind.RATE


def is_simulated(study: Study) -> bool:
    """Say whether anything of a study is simulated."""
    return study.simulate is not None or any(load_kind(study, d) for d in study.deployments)


def why_unsimulated(study: Study, deployment: Deployment) -> str:
    """Say why a deployment of a study without a simulate block is not simulated; '' if it is."""
    if study.unsimulated:
        return "simulate = none"
    instances = deployment.all_instances
    if any(instance.fitted is None for instance in instances):
        return "the reference calibration has no queueing"
    if any(instance.engine.step is StepLatency.OVERLAPPED for instance in instances):
        return "the simulation has no overlapped steps"
    if any(i.engine.drafts and i.engine.async_scheduling for i in instances):
        return "the simulation has no asynchronous scheduling of drafts"
    return ""


def fleet_rate(study: Study, deployment: Deployment) -> float | None:
    """Return the requests a second that instances are counted for; None if nobody says it.

    It is that of the fleet with its headroom, or that of the capacity without a simulation.
    """
    fleet = fleet_of(study, deployment)
    return None if fleet is None else fleet.carried


def fleet_of(study: Study, deployment: Deployment) -> Fleet | None:
    """Return the fleet of a deployment: the one it has, or what the rate of a capacity asks for."""
    wanted = study.capacity.rate if study.capacity and study.simulate is None else None
    if deployment.fleet is not None or wanted is None:
        return deployment.fleet
    return Fleet(rate=wanted)


def planned_workload(study: Study, deployment: Deployment) -> Workload:
    """Return the workload with the limits that the ranking judges.

    Under a load of clients all limits on means hold in the steady state, too. At a rate the
    simulation judges TTFT: places are not all taken then. The narrowest limit on TPOT holds for
    the mean: what exceeds it breaks that as well. Where nothing is simulated, classes are judged
    by the mean of all requests and the narrowest of their limits.
    """
    workload, kind = study.workload, load_kind(study, deployment)
    if kind is None and not workload.classes:
        return workload
    limits = [bound.value for _, bound in workload.limits if bound.fact.startswith("tpot.")]
    planned = evolve(
        workload.slo,
        ttft=_planned_ttft(workload, kind),
        tpot=min(limits, default=None),
        tails=(),
    )
    return evolve(workload, slo=planned)


def _planned_ttft(workload: Workload, kind: LoadKind | None) -> Seconds | None:
    """Return the limit on the mean TTFT of all requests.

    Where every class keeps its own limit the mean of all is at most the mean of these.
    """
    limits = [part.slo.ttft for part in workload.parts]
    known = [limit for limit in limits if limit is not None]
    if kind is None:
        return min(known, default=None)
    if kind is not LoadKind.CLIENTS or len(known) < len(limits):
        return None
    return math.fsum(s * limit for s, limit in zip(workload.shares, known, strict=True))
