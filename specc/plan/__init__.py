"""The plan: a document as a list of independent tasks. Data alone, hashable, JSON both ways.

In: a `Document`. Out: a `Plan`: tasks, and the combinations of sizes that were pruned. Read
`lower.py`.
"""

from specc.plan.lower import (
    Plan,
    PlannedStudy,
    PrunedCandidate,
    Setup,
    Task,
    combinations,
    lower,
)

__all__ = [
    "Plan",
    "PlannedStudy",
    "PrunedCandidate",
    "Setup",
    "Task",
    "combinations",
    "lower",
]
