"""The cost model: model × device × layout → latency and memory of a step.

In: a `StepTable`, one row per step. Out: the time of every row with its shares, and its memory.
A model is a list of kinds of layers (`layers/`), which list operators and say what they keep in
memory; an operator knows its work (`operators/`); a calibration turns work into time (`rules/`).
`reference/` is what only the published planner does. Read `model.py` first.
"""

from specc.cost.cache import CacheShape
from specc.cost.memory import MemoryModel, StepMemory
from specc.cost.model import CostModel, calibration_name, times_of
from specc.cost.reference.rules import STEP_ERROR, STEP_ERROR_TEXT
from specc.cost.steps import Sequences, StepTable
from specc.cost.times import StepTimes

__all__ = [
    "STEP_ERROR",
    "STEP_ERROR_TEXT",
    "CacheShape",
    "CostModel",
    "MemoryModel",
    "Sequences",
    "StepMemory",
    "StepTable",
    "StepTimes",
    "calibration_name",
    "times_of",
]
