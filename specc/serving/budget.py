"""The chunk budget, when the spec leaves it open."""

from specc.serving.server import Server
from specc.serving.waves import full_wave_memory
from specc.units import Tokens

_FACTORS = (4, 2, 1)  # prompts a prefill step takes, as the reference planner tries them


def automatic_budgets(prompt: Tokens) -> tuple[Tokens, ...]:
    """Return the budgets to try, the largest first: 4, 2 and 1 times the longest prompt."""
    return tuple(factor * prompt for factor in _FACTORS)


def choose_budget(given: Tokens | None, server: Server) -> Tokens:
    """Return the budget that was given, or the first whose full prefill step fits the memory.

    If none fits, the smallest is returned, and the search will find the layout infeasible.
    """
    if given is not None:
        return given
    budgets = automatic_budgets(server.mixture.longest_input)
    for budget in budgets:
        total = full_wave_memory(server, budget).total
        if total[0] <= server.memory - server.reserved:
            return budget
    return budgets[-1]
