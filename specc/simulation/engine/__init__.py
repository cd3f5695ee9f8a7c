"""Engines: what runs in each step, which blocks it takes, and what requests see of it.

In: limits, costs of steps and requests. Out: `Lives` and the runs of steps. An engine keeps the
books; what a step takes in is the decision of a policy. Read `base.py` first, then `continuous.py`,
where a batch ages in strides, `drafting.py`, where it does so unevenly, and `round_robin.py`, where
sequences take turns step by step.
"""

from specc.simulation.engine.base import (
    BATCH,
    CONTEXT,
    DURATION,
    NEVER,
    RUN_COLUMNS,
    START,
    STEPS,
    TOKENS,
    USED,
    WAITING,
    EngineStep,
    SimulatedEngine,
)
from specc.simulation.engine.continuous import Continuous
from specc.simulation.engine.drafting import Drafting
from specc.simulation.engine.in_order import InOrder
from specc.simulation.engine.in_step import InStep
from specc.simulation.engine.lives import Lives
from specc.simulation.engine.round_robin import RoundRobin

__all__ = [
    "BATCH",
    "CONTEXT",
    "DURATION",
    "NEVER",
    "RUN_COLUMNS",
    "START",
    "STEPS",
    "TOKENS",
    "USED",
    "WAITING",
    "Continuous",
    "Drafting",
    "EngineStep",
    "InOrder",
    "InStep",
    "Lives",
    "RoundRobin",
    "SimulatedEngine",
]
