"""As vLLM V1. In the loop over steps, `specc/serving/schedulers.py` does the same for groups."""

from specc.ir import Scheduler
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView


class DecodeFirst(SchedulerPolicy):
    """All sequences decode; prompts fill the rest of the budget, the last one in part."""

    name = Scheduler.DECODE_FIRST

    def plan(self, view: StepView) -> StepPlan:
        """Decode, and prefill with what is left."""
        return StepPlan(True, view.budget - view.ready)
