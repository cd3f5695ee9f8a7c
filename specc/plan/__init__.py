"""The plan: a document as a list of independent tasks, and running them.

In: a `Document`. Out: a `Plan` (tasks and pruned candidates), and `Results` when it is run.
A task is data: hashable, JSON-serialisable, and running it is a pure function of it. Read
`lower.py` first, then `run.py`; `results.py` is what a report is made of.
"""

from specc.plan.lower import Plan, PlannedStudy, PrunedCandidate, Task, lower
from specc.plan.results import Candidate, Point, Results, StudyResult, Verdict
from specc.plan.run import run

__all__ = [
    "Candidate",
    "Plan",
    "PlannedStudy",
    "Point",
    "PrunedCandidate",
    "Results",
    "StudyResult",
    "Task",
    "Verdict",
    "lower",
    "run",
]
