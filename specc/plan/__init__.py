"""The plan: a document as a list of independent tasks, and running them.

In: a `Document`. Out: a `Plan` (tasks and pruned candidates), and `Results` when it is run.
A task is data, and evaluating it is a pure function of it. Read `lower.py` first, then
`evaluate.py` and `answers.py`; `results.py` is what a report is made of.
"""

from specc.plan.answers import objective_of
from specc.plan.lower import Plan, PlannedStudy, PrunedCandidate, Task, lower, planned_workload
from specc.plan.results import (
    Answer,
    Candidate,
    Group,
    Point,
    Results,
    Simulated,
    StudyResult,
    Verdict,
)
from specc.plan.run import run, traced
from specc.plan.simulate import SimulationInterruptedError, simulation_work, subjects

__all__ = [
    "Answer",
    "Candidate",
    "Group",
    "Plan",
    "PlannedStudy",
    "Point",
    "PrunedCandidate",
    "Results",
    "Simulated",
    "SimulationInterruptedError",
    "StudyResult",
    "Task",
    "Verdict",
    "lower",
    "objective_of",
    "planned_workload",
    "run",
    "simulation_work",
    "subjects",
    "traced",
]
