"""Prefill and decode by turns, as small servers do."""

from specc.ir import Scheduler
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView


class PrefillThenDecode(SchedulerPolicy):
    """A step that prefills whatever waits is followed by one that decodes."""

    name = Scheduler.PREFILL_THEN_DECODE
    remembers = True

    def plan(self, view: StepView) -> StepPlan:
        """Decode after a step that prefilled, and else prefill."""
        if view.prefilled and view.ready:
            return StepPlan(True, 0)
        return StepPlan(False, view.budget)
