"""As the reference planner."""

from specc.ir import Scheduler
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView
from specc.units import Tokens


class DecodeFirstWithSlack(SchedulerPolicy):
    """All sequences decode; whole chunks of prompts fill the rest of the budget and its slack."""

    name = Scheduler.DECODE_FIRST_WITH_SLACK

    def plan(self, view: StepView) -> StepPlan:
        """Decode, and prefill with what is left of the budget and its slack."""
        return StepPlan(True, view.limit - view.ready)

    def cut(self, rest: Tokens, left: Tokens, budget: Tokens) -> Tokens:
        """Cut prompts into chunks of the budget."""
        return min(rest, budget)
