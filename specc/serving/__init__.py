"""Serving models: from the cost of a step to TTFT, TPOT and throughput.

In: a cost model, a workload and batch sizes. Out: a `ServingTable`, one row per batch size.
Read `aggregated.py` first; `definitions.py` says what each metric means.
"""

from specc.serving.aggregated import Aggregated
from specc.serving.budget import automatic_budgets, choose_budget
from specc.serving.definitions import DEFINITIONS, Definition
from specc.serving.table import Bands, MemoryParts, ServingTable, Shares

__all__ = [
    "DEFINITIONS",
    "Aggregated",
    "Bands",
    "Definition",
    "MemoryParts",
    "ServingTable",
    "Shares",
    "automatic_budgets",
    "choose_budget",
]
