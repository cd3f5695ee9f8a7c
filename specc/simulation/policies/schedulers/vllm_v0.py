"""As the first engine of vLLM, without chunked prefill.

After `vllm/core/scheduler.py` of vLLM 0.6, `_schedule_default` and `_schedule_prefills`: a step
prefills as long as prompts wait that fit; `max_num_batched_tokens` counts the tokens to compute of
each, and a prompt that is longer, what the cache holds of it included, ends as FINISHED_IGNORED.
"""

from specc.ir import Scheduler
from specc.simulation.policies.schedulers.base import SchedulerPolicy, StepPlan, StepView
from specc.units import Tokens


class VllmV0(SchedulerPolicy):
    """Nothing decodes as long as prompts wait; whole prompts fill the budget.

    What is computed again after a preemption may have grown beyond the budget by its output. vLLM
    rules that out (it wants a budget of its longest sequence); here it comes in chunks of the
    budget.
    """

    name = Scheduler.VLLM_V0

    def plan(self, view: StepView) -> StepPlan:
        """Prefill alone."""
        return StepPlan(False, view.budget)

    def cut(self, rest: Tokens, left: Tokens, budget: Tokens) -> Tokens:
        """Take all of a prompt or nothing; what exceeds a step, after a preemption, in chunks."""
        return min(rest, budget)

    def longest_prompt(self, budget: Tokens) -> Tokens:
        """Reject what is longer than a step."""
        return budget
