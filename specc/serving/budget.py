"""The chunk budget, when the spec leaves it open."""

from collections.abc import Callable

import numpy as np

from specc.serving.aggregated import Aggregated
from specc.units import Tokens

_FACTORS = (4, 2, 1)  # prompts a prefill step takes, as the reference planner tries them


def automatic_budgets(prompt: Tokens) -> tuple[Tokens, ...]:
    """Return the budgets to try, the largest first: 4, 2 and 1 times the prompt."""
    return tuple(factor * prompt for factor in _FACTORS)


def choose_budget(
    given: Tokens | None, prompt: Tokens, serving: Callable[[Tokens], Aggregated]
) -> Tokens:
    """Return the budget that was given, or the first whose full prefill step fits the memory.

    If none fits, the smallest is returned, and the search will find the layout infeasible.
    """
    if given is not None:
        return given
    budgets = automatic_budgets(prompt)
    for budget in budgets:
        if _full_step_fits(serving(budget)):
            return budget
    return budgets[-1]


def _full_step_fits(serving: Aggregated) -> bool:
    replicas = serving.layout.dp
    full = np.array([-(-serving.wave // replicas)])
    total = serving.prefill_memory(full).total
    return bool(total[0] <= serving.memory - serving.reserved)
