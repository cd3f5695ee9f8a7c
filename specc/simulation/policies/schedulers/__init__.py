"""Schedulers: what the next step of an engine takes in and decodes."""

from specc.ir import Scheduler
from specc.simulation.policies.registry import registered
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView

SCHEDULERS: tuple[type[SchedulerPolicy], ...] = registered(Scheduler, __name__)
_BY_NAME = {policy.name: policy() for policy in SCHEDULERS}


def scheduler_of(name: Scheduler) -> SchedulerPolicy:
    """Return the scheduler of a name."""
    return _BY_NAME[name]


__all__ = ["SCHEDULERS", "SchedulerPolicy", "StepPlan", "StepView", "scheduler_of"]
