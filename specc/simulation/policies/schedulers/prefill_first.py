"""Prefill before decode."""

from specc.ir import Scheduler
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView


class PrefillFirst(SchedulerPolicy):
    """Nothing decodes as long as prompts wait; they fill the budget, the last one in part."""

    name = Scheduler.PREFILL_FIRST

    def plan(self, view: StepView) -> StepPlan:
        """Prefill alone."""
        return StepPlan(False, view.budget)
